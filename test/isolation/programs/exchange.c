// Exchanges two paths for each other, over and over, until the first argument's sibling `stop` exists: RENAME_EXCHANGE leaves no moment without either.
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  puts("exchanging");
  fflush(stdout);
  while (access(argv[3], F_OK) < 0)
    if (syscall(SYS_renameat2, AT_FDCWD, argv[1], AT_FDCWD, argv[2], RENAME_EXCHANGE) < 0) { perror("renameat2"); return 1; }
  return 0;
}
