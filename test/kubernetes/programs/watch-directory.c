/* Prints the name of every entry that is moved into or made in the directory: what a program that reloads its
 * configuration sees of a volume. inotify(7). */
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

int main(int argc, char **argv) {
  char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
  int fd = inotify_init();
  if (argc != 2 || fd < 0 || inotify_add_watch(fd, argv[1], IN_CREATE | IN_MOVED_TO) < 0) { perror("inotify"); return 1; }
  printf("watching\n");
  fflush(stdout);
  for (;;) {
    ssize_t length = read(fd, events, sizeof events);
    if (length <= 0) { perror("read"); return 1; }
    for (char *at = events; at < events + length;) {
      struct inotify_event *event = (struct inotify_event *)at;
      printf("saw %s\n", event->name);
      fflush(stdout);
      at += sizeof *event + event->len;
    }
  }
}
