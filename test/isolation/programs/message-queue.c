// System V message queues, which an IPC namespace keeps apart: `send KEY WORD`, `receive KEY`.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>

struct letter { long type; char text[128]; };

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  int sends = strcmp(argv[1], "send") == 0;
  int queue = msgget(atoi(argv[2]), sends ? IPC_CREAT | 0600 : 0);
  if (queue < 0) { perror("msgget"); return 1; }
  struct letter letter = {.type = 1};
  if (sends) {
    snprintf(letter.text, sizeof letter.text, "%s", argc > 3 ? argv[3] : "");
    if (msgsnd(queue, &letter, sizeof letter.text, 0) == 0) return 0;
    perror("msgsnd");
    return 1;
  }
  if (msgrcv(queue, &letter, sizeof letter.text, 1, IPC_NOWAIT) < 0) { perror("msgrcv"); return 1; }
  puts(letter.text);
  msgctl(queue, IPC_RMID, 0);
  return 0;
}
