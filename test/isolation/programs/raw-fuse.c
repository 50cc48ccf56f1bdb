/*
 * The guest's kernel and the VMM in one hand: FUSE requests as bytes, past every check that a kernel makes.
 *
 *   raw-fuse              speaks vhost-user (QEMU's docs/interop/vhost-user.rst) on descriptor 3, as the VMM does, and puts the
 *                         requests into a virtqueue
 *   raw-fuse --naive DIR  answers them itself, as a file server without guards would: the control of the cases
 *
 *   raw-fuse [--naive DIR] --fuzz messages|chains SEED COUNT SECRET
 *                         makes COUNT malformed requests itself, or malformed descriptor chains around a sound one, and prints
 *                         one line: requests made, answered, answers with SECRET in them, whether the daemon is there still (status 3: it is not)
 *
 * One request a line of hexadecimal on stdin, fuse_in_header included; one answer a line: `R <hex>`, `N` none, `X` the
 * daemon is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "malformed-fuse.h"
#include "virtqueue.h"

enum { DAEMON = 3, QUEUES = 2, REQUEST_MAX = 128 * 1024, ANSWER_LIMIT_MS = 20000 };
#define GUEST 0x1000000ull /* where the memory is for the guest */

static void die(const char *what) { perror(what); exit(1); }

/* --- vhost-user ------------------------------------------------------------------------------------------------ */

struct message { uint32_t request, flags, size; union { uint64_t u64; struct { uint32_t index, num; } state;
  struct { uint32_t index, flags; uint64_t descriptors, used, available, log; } ring;
  struct { uint32_t count, padding; struct { uint64_t guest, size, user, offset; } region; } memory; } body; } __attribute__((packed));
static struct memory memory;
static int kick[QUEUES], call[QUEUES];
static char *at(unsigned offset) { return memory.here + offset; }

static uint64_t ask(uint32_t request, const void *body, uint32_t size, int fd, int answers) {
  struct message message = { .request = request, .flags = 1, .size = size };
  if (size) memcpy(&message.body, body, size);
  struct iovec part = { &message, 12 + size };
  char control[CMSG_SPACE(sizeof fd)] = { 0 };
  struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
  if (fd >= 0) {
    header.msg_control = control, header.msg_controllen = sizeof control;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET, rights->cmsg_type = SCM_RIGHTS, rights->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  }
  if (sendmsg(DAEMON, &header, 0) != (ssize_t)part.iov_len) die("vhost-user send");
  if (!answers) return 0;
  if (recv(DAEMON, &message, 12, MSG_WAITALL) != 12 || recv(DAEMON, &message.body, message.size, MSG_WAITALL) != message.size) die("vhost-user answer");
  return message.body.u64;
}

static void connectDaemon(void) {
  fcntl(DAEMON, F_SETFL, 0); /* it comes non-blocking */
  uint64_t features = ask(1, NULL, 0, -1, 1);
  ask(3, NULL, 0, -1, 0);
  if (features & 1ull << 30) {
    ask(15, NULL, 0, -1, 1);
    uint64_t none = 0;
    ask(16, &none, 8, -1, 0);
  }
  uint64_t wanted = features & (1ull << 32 | 1ull << 30);
  ask(2, &wanted, 8, -1, 0);
  int file = memfd_create("guest", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, MEMORY)) die("memfd");
  memory = (struct memory){ mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), GUEST };
  if (memory.here == MAP_FAILED) die("mmap");
  struct message map = { .body.memory = { 1, 0, { GUEST, MEMORY, (uintptr_t)memory.here, 0 } } };
  ask(5, &map.body, sizeof map.body.memory, file, 0);
  for (int queue = 0; queue < QUEUES; queue++) {
    struct message set = { .body.state = { queue, RING } };
    ask(8, &set.body, 8, -1, 0);
    set.body.state.num = 0;
    ask(10, &set.body, 8, -1, 0);
    struct message ring = { .body.ring = { queue, 0, (uintptr_t)descriptorsOf(memory, queue), (uintptr_t)usedOf(memory, queue), (uintptr_t)availableOf(memory, queue), 0 } };
    ask(9, &ring.body, sizeof ring.body.ring, -1, 0);
    kick[queue] = eventfd(0, EFD_CLOEXEC), call[queue] = eventfd(0, EFD_CLOEXEC);
    uint64_t index = queue;
    ask(13, &index, 8, call[queue], 0);
    ask(12, &index, 8, kick[queue], 0);
    set.body.state.num = 1;
    if (features & 1ull << 30) ask(18, &set.body, 8, -1, 0);
  }
}

enum { QUEUE = 1 };
enum answered { ANSWERED, LATE, GONE };

/* Hands a chain to the daemon and waits until one more is used, or so long. */
static enum answered hand(struct chain chain, int limitMs) {
  volatile struct used *used = usedOf(memory, QUEUE);
  uint16_t before = used->index;
  uint64_t one = 1;
  post(memory, QUEUE, chain.head, chain.by);
  if (write(kick[QUEUE], &one, 8) != 8) die("kick");
  while (used->index == before) {
    struct pollfd waits[] = { { call[QUEUE], POLLIN, 0 }, { DAEMON, 0, 0 } };
    int ready = poll(waits, 2, limitMs);
    if (waits[1].revents) return GONE;
    if (ready <= 0) return LATE;
    if (read(call[QUEUE], &one, 8) != 8) die("call");
  }
  __sync_synchronize();
  return ANSWERED;
}

/* Puts one request into the request queue and waits for it to be used. The answer's length, 0: none, -1: gone. */
static ssize_t throughQueue(const char *request, size_t length, char *answer) {
  volatile struct used *used = usedOf(memory, QUEUE);
  uint16_t before = used->index;
  memcpy(at(REQUEST_AT), request, length);
  if (hand(soundChain(memory, QUEUE, length, sizeof(struct fuse_out_header), ANSWER_MAX), ANSWER_LIMIT_MS) != ANSWERED) return -1;
  uint32_t got = used->ring[before % RING].length;
  if (got < sizeof(struct fuse_out_header)) return 0;
  if (got > sizeof(struct fuse_out_header) + ANSWER_MAX) got = sizeof(struct fuse_out_header) + ANSWER_MAX;
  memcpy(answer, at(HEADER_AT), sizeof(struct fuse_out_header));
  memcpy(answer + sizeof(struct fuse_out_header), at(ANSWER_AT), got - sizeof(struct fuse_out_header));
  return got;
}

/* --- a server without guards ------------------------------------------------------------------------------------ */

/* Requests come by chance: nothing that they name may be a device of the machine's, and nothing may be waited for. */
static int byChance;
static char *nodes[4096];
static unsigned nodeCount = 2;

static int entry(char *path, char *out) {
  struct stat seen;
  if (stat(path, &seen)) return -errno; /* follows */
  if (nodeCount == sizeof nodes / sizeof *nodes) return -ENFILE;
  struct fuse_entry_out *answer = (void *)out;
  *answer = (struct fuse_entry_out){ .nodeid = nodeCount, .attr = { .ino = seen.st_ino, .mode = seen.st_mode, .size = seen.st_size } };
  nodes[nodeCount++] = strdup(path);
  return sizeof *answer;
}

static int naive(struct fuse_in_header *in, char *out) {
  char *body = (char *)(in + 1), path[8192];
  const char *directory = in->nodeid < nodeCount && nodes[in->nodeid] ? nodes[in->nodeid] : NULL;
  int carriesFh = in->opcode == FUSE_READ || in->opcode == FUSE_WRITE;
  if (!directory && !carriesFh && in->opcode != FUSE_INIT) return -ENOENT;
#define UNDER(name) (snprintf(path, sizeof path, "%s/%s", directory, name), path)
  switch (in->opcode) {
    case FUSE_INIT: return sizeof(struct fuse_init_out);
    case FUSE_LOOKUP: return entry(UNDER(body), out);
    case FUSE_SYMLINK: {
      const char *target = body + strlen(body) + 1;
      if (symlink(target, UNDER(body))) return -errno;
      int length = entry(path, out);
      return length < 0 ? 0 : length;
    }
    case FUSE_MKNOD: {
      struct fuse_mknod_in *node = (void *)body;
      if (byChance && (S_ISBLK(node->mode) || S_ISCHR(node->mode))) return -EPERM;
      if (mknod(UNDER((char *)(node + 1)), node->mode, makedev(node->rdev >> 8, node->rdev & 255))) return -errno;
      return entry(path, out);
    }
    case FUSE_OPEN: {
      struct fuse_open_in *open_in = (void *)body;
      int fd = open(directory, O_NONBLOCK | (open_in->flags & (O_ACCMODE | O_TRUNC)));
      if (fd < 0) return -errno;
      *(struct fuse_open_out *)out = (struct fuse_open_out){ .fh = fd };
      return sizeof(struct fuse_open_out);
    }
    case FUSE_READ: {
      struct fuse_read_in *what = (void *)body;
      ssize_t got = pread(what->fh, out, what->size < 4096 ? what->size : 4096, what->offset);
      return got < 0 ? -errno : got;
    }
    case FUSE_WRITE: {
      struct fuse_write_in *what = (void *)body;
      ssize_t put = pwrite(what->fh, what + 1, what->size, what->offset);
      if (put < 0) return -errno;
      *(struct fuse_write_out *)out = (struct fuse_write_out){ .size = put };
      return sizeof(struct fuse_write_out);
    }
    case FUSE_SETXATTR: {
      struct fuse_setxattr_in *what = (void *)body;
      char *name = body + FUSE_COMPAT_SETXATTR_IN_SIZE;
      return setxattr(directory, name, name + strlen(name) + 1, what->size, 0) ? -errno : 0;
    }
    default: return -ENOSYS;
  }
}

static ssize_t byItself(char *request, size_t length, char *answer) {
  struct fuse_out_header *header = (void *)answer;
  struct fuse_in_header *in = (void *)request;
  request[length] = 0;
  int result = length < sizeof *in ? -EINVAL : naive(in, answer + sizeof *header);
  *header = (struct fuse_out_header){ .len = sizeof *header + (result > 0 ? result : 0), .error = result < 0 ? result : 0, .unique = in->unique };
  return header->len;
}

/* --- by chance --------------------------------------------------------------------------------------------------- */

enum { LATE_LIMIT_MS = 100, ENDED = 3 };
static char request[REQUEST_MAX + 8192], answer[sizeof(struct fuse_out_header) + ANSWER_MAX];

static uint32_t soundRequest(uint32_t opcode, const void *body, uint32_t size) {
  struct fuse_in_header header = { .len = sizeof header + size, .opcode = opcode, .unique = 7, .nodeid = 1, .pid = 1 };
  memcpy(request, &header, sizeof header), memcpy(request + sizeof header, body, size);
  return header.len;
}

static ssize_t initialise(int isNaive) {
  struct fuse_init_in init = { .major = 7, .minor = 31, .max_readahead = 1 << 17, .flags = FUSE_BIG_WRITES | 1 << 27 };
  uint32_t length = soundRequest(FUSE_INIT, &init, 16);
  return isNaive ? byItself(request, length, answer) : throughQueue(request, length, answer);
}

/* Whether it answers a request as it should be. */
static int isThere(void) {
  char nothing[16] = { 0 };
  return throughQueue(request, soundRequest(FUSE_GETATTR, nothing, sizeof nothing), answer) > 0 || initialise(0) > 0;
}

/* Hands over one malformed request; -1: the server is gone. */
static ssize_t fuzzOnce(int isNaive, int withChains) {
  static const struct fuse_out_header none;
  char nothing[16] = { 0 };
  uint32_t length = withChains ? soundRequest(FUSE_GETATTR, nothing, sizeof nothing) : malformedRequest(request, REQUEST_MAX);
  if (isNaive) return byItself(request, length, answer);
  uint16_t before = usedOf(memory, QUEUE)->index;
  memcpy(at(REQUEST_AT), request, length);
  memcpy(at(HEADER_AT), &none, sizeof none);
  struct chain chain = withChains ? malformedChain(memory, QUEUE, length, sizeof none, ANSWER_MAX) : soundChain(memory, QUEUE, length, sizeof none, 1 + below(ANSWER_MAX));
  enum answered answered = hand(chain, LATE_LIMIT_MS);
  /* Of an index that was pushed ahead nothing can be taken back: whoever it was pushed on reads old chains from here on. */
  if (answered == GONE || (answered == LATE && !isThere())) return -1;
  uint32_t got = answered == LATE ? 0 : usedOf(memory, QUEUE)->ring[before % RING].length;
  if (got > sizeof answer) got = sizeof answer;
  if (got < sizeof none) return 0;
  memcpy(answer, at(HEADER_AT), sizeof none), memcpy(answer + sizeof none, at(ANSWER_AT), got - sizeof none);
  return got;
}

static int fuzz(int isNaive, const char *what, uint64_t seed, long count, const char *secret) {
  long made = 0, answered = 0, leaks = 0;
  int gone = initialise(isNaive) <= 0;
  for (seedChance(seed); made < count && !gone; made++) {
    ssize_t got = fuzzOnce(isNaive, !strcmp(what, "chains"));
    if (got < 0) gone = 1;
    if (got <= 0) continue;
    answered++;
    if (memmem(answer, got, secret, strlen(secret))) leaks++;
    const struct fuse_out_header *header = (void *)answer;
    /* A node or handle stands first in every answer that gives one. */
    if (header->error == 0 && got >= (ssize_t)sizeof *header + 16) { uint64_t first; memcpy(&first, header + 1, 8); learn(first); }
  }
  printf("F %ld %ld %ld %s\n", made, answered, leaks, gone ? "gone" : "there");
  fflush(stdout);
  return gone ? ENDED : 0;
}

int main(int argc, char **argv) {
  static char line[2 * REQUEST_MAX + 2];
  int isNaive = argc > 2 && !strcmp(argv[1], "--naive");
  if (isNaive) {
    nodes[1] = argv[2];
    /* What a server has open for itself or for others. */
    if (chdir(argv[2]) || open("../outside/canary", O_RDONLY) < 0) die("canary");
    byChance = argc > 3;
    /* What such a server may harm is the directory around its share. */
    if (byChance && (chroot("..") || chdir(nodes[1] = "/share"))) die("chroot");
    argc -= 2, argv += 2;
  } else connectDaemon();
  if (argc == 6 && !strcmp(argv[1], "--fuzz")) return fuzz(isNaive, argv[2], strtoull(argv[3], NULL, 10), atol(argv[4]), argv[5]);
  while (fgets(line, sizeof line, stdin)) {
    size_t length = strcspn(line, "\n") / 2;
    for (size_t byte = 0; byte < length; byte++) {
      unsigned value;
      if (sscanf(line + 2 * byte, "%2x", &value) != 1) { fprintf(stderr, "no hexadecimal\n"); return 2; }
      request[byte] = value;
    }
    ssize_t got = isNaive ? byItself(request, length, answer) : throughQueue(request, length, answer);
    printf(got < 0 ? "X" : got == 0 ? "N" : "R ");
    for (ssize_t byte = 0; byte < got; byte++) printf("%02x", (unsigned char)answer[byte]);
    printf("\n");
    fflush(stdout);
  }
  return 0;
}
