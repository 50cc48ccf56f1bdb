// Runs a command and wins a race against it: win-race during|after CALL PATH COUNT A B COMMAND...
// CALL is mount or stat. At the COUNT-th such call of the command or its descendants whose path ends with PATH, A and B are exchanged:
// when the call begins and again when it is over (`during`), or when it is over (`after`). Held by ptrace(2), nobody has to be lucky.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <linux/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char **args;
static int seen, exchanged;
static pid_t inside; // the thread that is in the call

static void exchange(void) {
  exchanged = 1;
  if (syscall(SYS_renameat2, AT_FDCWD, args[5], AT_FDCWD, args[6], RENAME_EXCHANGE) < 0) perror("renameat2");
}

static int ends_with_path(pid_t thread, unsigned long address) {
  char text[4096];
  struct iovec here = {text, sizeof text - 1}, there = {(void *)address, sizeof text - 1};
  // To the end of the page where the next one is not there.
  ssize_t got = process_vm_readv(thread, &here, 1, &there, 1, 0);
  if (got <= 0) { there.iov_len = 4096 - address % 4096; got = process_vm_readv(thread, &here, 1, &there, 1, 0); }
  if (got <= 0) return 0;
  text[got] = 0;
  size_t length = strlen(text), wanted = strlen(args[3]);
  return length >= wanted && strcmp(text + length - wanted, args[3]) == 0;
}

static void look(pid_t thread) {
  struct ptrace_syscall_info info;
  if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) <= 0) return;
  int during = strcmp(args[1], "during") == 0;
  if (info.op == PTRACE_SYSCALL_INFO_ENTRY && !exchanged) {
    int is_mount = strcmp(args[2], "mount") == 0;
    if (info.entry.nr != (unsigned)(is_mount ? SYS_mount : SYS_newfstatat)) return;
    if (!ends_with_path(thread, info.entry.args[is_mount ? 0 : 1]) || ++seen < atoi(args[4])) return;
    inside = thread;
    if (during) exchange();
  } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && thread == inside) {
    inside = 0;
    exchange();
  }
}

int main(int argc, char **argv) {
  if (argc < 8) return 2;
  args = argv;
  pid_t command = fork();
  if (command == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    execvp(argv[7], argv + 7);
    _exit(127);
  }
  int status, result = 1;
  waitpid(command, &status, 0);
  ptrace(PTRACE_SETOPTIONS, command, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC);
  ptrace(PTRACE_SYSCALL, command, 0, 0);
  for (pid_t thread; (thread = waitpid(-1, &status, __WALL)) > 0;) {
    if (!WIFSTOPPED(status)) {
      if (thread == command) result = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
      continue;
    }
    int signal = WSTOPSIG(status), event = status >> 16;
    if (signal == (SIGTRAP | 0x80)) { look(thread); signal = 0; }
    // Events, and the stop with which a new thread begins, are ptrace's own.
    else if (event != 0 || signal == SIGSTOP || signal == SIGTRAP) signal = 0;
    ptrace(PTRACE_SYSCALL, thread, 0, signal);
  }
  return result;
}
