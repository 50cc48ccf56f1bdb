// Uses one thing up and holds it: `forks`, `memory`, `files`, `inotify`, `fill PATH`, `inodes PATH`. Says «full N» when it gets
// no more, and then waits to be killed. `try-inotify` and `try-write PATH` are the neighbour: do they still get one?
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void full(long count) {
  printf("full %ld: %s\n", count, strerror(errno));
  fflush(stdout);
  for (;;) pause();
}

// No more than this, should there be no limit at all: the control runs on somebody's machine.
enum { most_forks = 20000, most_files = 400000, most_inodes = 50000 };

static void forks(void) {
  long count = 0;
  for (int failed = 0; count < most_forks && failed < 20;) {
    pid_t child = fork();
    if (child == 0) for (;;) pause();
    if (child < 0) failed++;
    else count++;
  }
  full(count);
}

static void memory(void) {
  long mib = 0;
  for (; mib < 1 << 16; mib++) {
    char *block = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) break;
    memset(block, 1, 1 << 20);
  }
  full(mib);
}

// Each child to its own limit; together to the kernel's.
static void files(void) {
  long count = 0;
  for (int child = 0; child < most_files / 1000; child++) {
    int ends[2];
    if (pipe(ends) < 0) break;
    pid_t pid = fork();
    if (pid < 0) break;
    if (pid == 0) {
      int opened = 0;
      while (open("/dev/null", O_RDONLY) >= 0) opened++;
      int result[2] = {opened, errno};
      if (write(ends[1], result, sizeof result) < 0) _exit(1);
      for (;;) pause();
    }
    int result[2] = {0, 0};
    close(ends[1]);
    if (read(ends[0], result, sizeof result) < (ssize_t)sizeof result) break;
    close(ends[0]);
    count += result[0];
    errno = result[1];
    if (result[1] == ENFILE || result[1] == ENOMEM) break;
  }
  full(count);
}

static void instances(void) {
  long count = 0;
  while (inotify_init1(0) >= 0) count++;
  full(count);
}

static void fill(const char *path) {
  char name[256];
  snprintf(name, sizeof name, "%s/filled-by-%d", path, getpid());
  int file = open(name, O_WRONLY | O_CREAT, 0600);
  static char page[4096];
  long pages = 0;
  while (file >= 0 && write(file, page, sizeof page) > 0) pages++;
  full(pages);
}

static void inodes(const char *path) {
  long count = 0;
  for (; count < most_inodes; count++) {
    char name[256];
    snprintf(name, sizeof name, "%s/inode-%ld", path, count);
    int file = open(name, O_WRONLY | O_CREAT, 0600);
    if (file < 0) break;
    close(file);
  }
  full(count);
}

static int try_write(const char *path) {
  char name[256];
  snprintf(name, sizeof name, "%s/neighbour", path);
  int file = open(name, O_WRONLY | O_CREAT, 0600);
  if (file < 0 || write(file, "mine", 4) != 4 || fsync(file) < 0) { perror(path); return 1; }
  return 0;
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "", *path = argc > 2 ? argv[2] : "/";
  if (strcmp(what, "forks") == 0) forks();
  if (strcmp(what, "memory") == 0) memory();
  if (strcmp(what, "files") == 0) files();
  if (strcmp(what, "inotify") == 0) instances();
  if (strcmp(what, "fill") == 0) fill(path);
  if (strcmp(what, "inodes") == 0) inodes(path);
  if (strcmp(what, "try-write") == 0) return try_write(path);
  if (strcmp(what, "try-inotify") == 0) { if (inotify_init1(0) >= 0) return 0; perror("inotify_init"); return 1; }
  return 2;
}
