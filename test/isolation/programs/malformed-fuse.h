/* FUSE requests by chance (include/uapi/linux/fuse.h): mostly of a form that reaches the handler, with wrong lengths, nodes, handles and names. */
#ifndef MALFORMED_FUSE_H
#define MALFORMED_FUSE_H
#include <linux/fuse.h>
#include <stddef.h>
#include "virtqueue.h"

/* What each request carries after its header: bytes of a structure, then names, then data. */
static const struct form { uint32_t opcode; uint16_t fixed, names, data; } forms[] = {
  { FUSE_LOOKUP, 0, 1, 0 }, { FUSE_LOOKUP, 0, 1, 0 }, { FUSE_LOOKUP, 0, 1, 0 }, { FUSE_FORGET, 8, 0, 0 }, { FUSE_GETATTR, 16, 0, 0 }, { FUSE_SETATTR, 88, 0, 0 },
  { FUSE_READLINK, 0, 0, 0 }, { FUSE_SYMLINK, 0, 2, 0 }, { FUSE_MKNOD, 16, 1, 0 }, { FUSE_MKDIR, 8, 1, 0 }, { FUSE_UNLINK, 0, 1, 0 }, { FUSE_RMDIR, 0, 1, 0 },
  { FUSE_RENAME, 8, 2, 0 }, { FUSE_LINK, 8, 1, 0 }, { FUSE_OPEN, 8, 0, 0 }, { FUSE_OPEN, 8, 0, 0 }, { FUSE_READ, 40, 0, 0 }, { FUSE_WRITE, 40, 0, 1 }, { FUSE_STATFS, 0, 0, 0 },
  { FUSE_RELEASE, 24, 0, 0 }, { FUSE_FSYNC, 16, 0, 0 }, { FUSE_SETXATTR, 8, 1, 1 }, { FUSE_SETXATTR, 16, 1, 1 }, { FUSE_GETXATTR, 8, 1, 0 }, { FUSE_LISTXATTR, 8, 0, 0 },
  { FUSE_REMOVEXATTR, 0, 1, 0 }, { FUSE_FLUSH, 24, 0, 0 }, { FUSE_INIT, 16, 0, 0 }, { FUSE_INIT, 64, 0, 0 }, { FUSE_OPENDIR, 8, 0, 0 }, { FUSE_READDIR, 40, 0, 0 },
  { FUSE_RELEASEDIR, 24, 0, 0 }, { FUSE_FSYNCDIR, 16, 0, 0 }, { FUSE_GETLK, 48, 0, 0 }, { FUSE_SETLK, 48, 0, 0 }, { FUSE_SETLKW, 48, 0, 0 }, { FUSE_ACCESS, 8, 0, 0 },
  { FUSE_CREATE, 16, 1, 0 }, { FUSE_CREATE, 16, 1, 0 }, { FUSE_INTERRUPT, 8, 0, 0 }, { FUSE_BMAP, 16, 0, 0 }, { FUSE_IOCTL, 32, 0, 1 }, { FUSE_POLL, 24, 0, 0 },
  { FUSE_BATCH_FORGET, 8, 0, 1 }, { FUSE_FALLOCATE, 32, 0, 0 }, { FUSE_READDIRPLUS, 40, 0, 0 }, { FUSE_RENAME2, 16, 2, 0 }, { FUSE_LSEEK, 24, 0, 0 },
  { FUSE_COPY_FILE_RANGE, 56, 0, 0 }, { FUSE_SETUPMAPPING, 48, 0, 0 }, { FUSE_REMOVEMAPPING, 4, 0, 1 }, { FUSE_SYNCFS, 8, 0, 0 },
};
static const char *const names[] = {
  "file", "file", "zero", "new", "link", ".binds", "0", "1", "c1", "rootfs", ".", "..", "", "../outside", "../outside/planted", "../../outside/planted", "../../../outside/canary",
  "/etc/passwd", "a/b", "user.a", "security.capability", "trusted.overlay.opaque", "%n%s", "\xff\xfe",
};
static const uint64_t edges[] = { 0, 1, 2, 3, 7, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 1ull << 63, ~0ull };

/* Nodes and handles that the server has given: most requests are about one of them. */
static uint64_t known[256] = { 1 };
static unsigned knownCount = 1;
static void learn(uint64_t value) {
  if (value != 0) known[knownCount < 256 ? knownCount++ : below(256)] = value;
}
static uint64_t number(void) { return below(8) ? known[below(knownCount)] : below(2) ? ONE_OF(edges) : chance(); }

/* Writes a request and gives its length: `max` at most. */
static uint32_t malformedRequest(char *out, uint32_t max) {
  const struct form *form = &ONE_OF(forms);
  struct fuse_in_header *header = (void *)out;
  *header = (struct fuse_in_header){ .opcode = below(40) ? form->opcode : chance() & 0xff, .unique = chance(), .nodeid = number(), .pid = 1 };
  if (!below(50)) header->uid = chance(), header->gid = chance();
  uint32_t length = sizeof *header;
  for (uint32_t end = length + form->fixed; length < end; length += 4) {
    uint64_t word = below(3) == 0 ? number() : below(4) ? 0 : below(2) ? ONE_OF(edges) : chance();
    memcpy(out + length, &word, 4);
    /* Handles and nodes are in 8 bytes. */
    if (length % 8 == 0 && length + 8 <= end && below(2)) word = number(), memcpy(out + length, &word, 8);
  }
  for (int name = 0; name < form->names; name++) {
    const char *chosen = ONE_OF(names);
    size_t size = strlen(chosen) + 1;
    memcpy(out + length, chosen, size), length += size;
    if (!below(30)) memset(out + length - 1, 'x', 5000), length += 5000;
  }
  if (form->data) for (uint32_t end = length + below(300); length < end; length++) out[length] = chance();
  switch (below(10)) {
    case 0: length = sizeof *header + below(length - sizeof *header + 1); break;
    case 1: for (uint32_t end = length + below(below(8) ? 100 : 60000); length < end; length++) out[length] = chance(); break;
    case 2: for (int flips = below(8); flips >= 0; flips--) out[sizeof *header + below(length - sizeof *header + 1)] = chance(); break;
    default: break;
  }
  if (length > max) length = max;
  header->len = below(12) ? length : below(2) ? ONE_OF(edges) : length + below(80) - 40;
  return length;
}

#endif
