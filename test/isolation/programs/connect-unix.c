// Connects to a unix socket, sends a word and prints the answer.
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
  int socket_fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(socket_fd, (struct sockaddr *)&address, sizeof address) < 0) { perror("connect"); return 1; }
  if (write(socket_fd, argv[2], strlen(argv[2])) < 0) perror("write");
  char answer[256];
  ssize_t length = read(socket_fd, answer, sizeof answer);
  if (length > 0) fwrite(answer, 1, (size_t)length, stdout);
  return 0;
}
