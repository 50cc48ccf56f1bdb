// Takes every process id that is left (fill FILE), and holds them until FILE exists. `pass N`: uses N ids up, one after the other.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// Should there be no limit at all.
enum { most = 4000 };

static int pass(int count) {
  for (int at = 0; at < count; at++) {
    pid_t child = fork();
    if (child == 0) _exit(0);
    if (child > 0) waitpid(child, NULL, 0);
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  if (strcmp(argv[1], "pass") == 0) return pass(atoi(argv[2]));
  static pid_t children[most];
  int count = 0;
  for (int failed = 0; count < most && failed < 20;) {
    pid_t child = fork();
    if (child == 0) for (;;) pause();
    if (child < 0) failed++;
    else children[count++] = child;
  }
  printf("full %d: %s\n", count, strerror(errno));
  fflush(stdout);
  while (access(argv[2], F_OK) < 0) usleep(20000);
  int died = 0;
  while (waitpid(-1, NULL, WNOHANG) > 0) died++;
  for (int at = 0; at < count; at++) kill(children[at], SIGKILL);
  printf("died %d\n", died);
  return 0;
}
