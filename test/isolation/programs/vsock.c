// Dials ports of AF_VSOCK: the loopback (1), the host (2), and the numbers from 3 up, which are this guest or another. All at
// once, each with 64 KiB to send, and says which of them are open and stay so.
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { most = 900 };
static struct pollfd sockets[most];
static struct { unsigned cid, port; } dialled[most];
static int count, refused;
static char errors[256];

static void dial(unsigned cid, unsigned port) {
  if (count == most) return;
  int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0) { snprintf(errors, sizeof errors, "socket: %s", strerror(errno)); return; }
  struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) {
    snprintf(errors, sizeof errors, "%s", strerror(errno));
    refused++;
    close(fd);
    return;
  }
  sockets[count] = (struct pollfd){.fd = fd, .events = POLLOUT};
  dialled[count].cid = cid;
  dialled[count++].port = port;
}

int main(int argc, char **argv) {
  struct rlimit limit = {1024, 1024};
  setrlimit(RLIMIT_NOFILE, &limit);
  for (unsigned cid = 1; cid < 7; cid++) {
    for (int port = 1; port < argc; port++) dial(cid, (unsigned)atoi(argv[port]));
    for (unsigned port = 1; port < 100; port++) dial(cid, port);
    for (unsigned port = 1024; port < 1060; port++) dial(cid, port);
  }
  static char block[65536];
  int open_ones = 0;
  // The kernel's own limit of a connection attempt is two seconds.
  for (int left = count; left > 0 && poll(sockets, (nfds_t)count, 3000) > 0;) {
    for (int i = 0; i < count; i++) {
      if (sockets[i].revents == 0 || sockets[i].fd < 0) continue;
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(sockets[i].fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error == 0 && !(sockets[i].revents & (POLLERR | POLLHUP))) {
        fcntl(sockets[i].fd, F_SETFL, 0);
        // Who lets nobody in answers by the end of the connection; who waits for more is open.
        struct pollfd end = {.fd = sockets[i].fd, .events = POLLIN | POLLRDHUP};
        int closed = poll(&end, 1, 500) > 0 && (end.revents & (POLLHUP | POLLRDHUP | POLLERR));
        if (!closed) {
          fcntl(sockets[i].fd, F_SETFL, O_NONBLOCK);
          printf("open %u:%u, took %zd bytes\n", dialled[i].cid, dialled[i].port, send(sockets[i].fd, block, sizeof block, MSG_NOSIGNAL));
          open_ones++;
        }
      }
      sockets[i].fd = -1;
      left--;
    }
  }
  printf("%d dialled, %d refused at once, %d open; %s\n", count, refused, open_ones, errors);
  return 0;
}
