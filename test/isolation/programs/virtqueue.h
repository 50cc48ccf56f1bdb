/*
 * A split virtqueue (virtio 1.1, section 2.6) in memory that a device reads, with every check of a driver left out, and the
 * ways to lay a request into it that no driver would.
 */
#ifndef VIRTQUEUE_H
#define VIRTQUEUE_H
#include <stdint.h>
#include <string.h>

enum { RING = 16, NEXT = 1, WRITES = 2, INDIRECT = 4 };

struct descriptor { uint64_t address; uint32_t length; uint16_t flags, next; };
struct available { uint16_t flags, index, ring[RING]; };
struct used { uint16_t flags, index; struct { uint32_t id, length; } ring[RING]; };

/* Where things lie in the memory that is shared with the device. */
enum { QUEUE_BYTES = 0x4000, AVAILABLE_AT = 0x1000, USED_AT = 0x2000, REQUEST_AT = 0x10000, TABLE_AT = 0x30000, HEADER_AT = 0x40000, ANSWER_AT = 0x41000, ANSWER_MAX = 128 * 1024, MEMORY = 1 << 20 };

/* The memory here, and its address for the device. */
struct memory { char *here; uint64_t there; };

static struct descriptor *descriptorsOf(struct memory memory, int queue) { return (void *)(memory.here + queue * QUEUE_BYTES); }
static struct available *availableOf(struct memory memory, int queue) { return (void *)(memory.here + queue * QUEUE_BYTES + AVAILABLE_AT); }
static volatile struct used *usedOf(struct memory memory, int queue) { return (void *)(memory.here + queue * QUEUE_BYTES + USED_AT); }

/* Hands a chain to the device; the caller notifies it. */
static void post(struct memory memory, int queue, uint16_t head, uint16_t by) {
  struct available *available = availableOf(memory, queue);
  available->ring[available->index % RING] = head;
  __sync_synchronize();
  available->index += by;
  __sync_synchronize();
}

/* --- seeded chance (xorshift64*) --------------------------------------------------------------------------------- */

static uint64_t chanceState;
static void seedChance(uint64_t seed) { chanceState = seed * 0x9e3779b97f4a7c15ull + 1; }
static uint64_t chance(void) {
  chanceState ^= chanceState >> 12, chanceState ^= chanceState << 25, chanceState ^= chanceState >> 27;
  return chanceState * 0x2545f4914f6cdd1dull;
}
static uint64_t below(uint64_t limit) { return chance() % limit; }
#define ONE_OF(array) ((array)[below(sizeof(array) / sizeof *(array))])

/* --- malformed chains -------------------------------------------------------------------------------------------- */

struct chain { uint16_t head, by; const char *name; };

/* Lays a request of `length` bytes at REQUEST_AT, and room for an answer of `header` and `room` bytes, into the queue: as it should be. */
static struct chain soundChain(struct memory memory, int queue, uint32_t length, uint32_t header, uint32_t room) {
  struct descriptor *at = descriptorsOf(memory, queue);
  at[0] = (struct descriptor){ memory.there + REQUEST_AT, length, NEXT, 1 };
  at[1] = (struct descriptor){ memory.there + HEADER_AT, header, NEXT | WRITES, 2 };
  at[2] = (struct descriptor){ memory.there + ANSWER_AT, room, WRITES, 0 };
  return (struct chain){ 0, 1, "sound" };
}

/* The same, with one thing wrong. `memory` bytes are the device's to read; the rest of its address space is anybody's. */
static struct chain malformedChain(struct memory memory, int queue, uint32_t length, uint32_t header, uint32_t room) {
  struct descriptor *at = descriptorsOf(memory, queue), *table = (void *)(memory.here + TABLE_AT), *wrong;
  struct chain chain = soundChain(memory, queue, length, header, room);
  const uint64_t nowhere[] = { 0, 4096, memory.there + MEMORY - 8, memory.there + (1ull << 40), 1ull << 63, ~0ull, ~0ull - 4095, 0xfee00000, 0xfebd0000, memory.there - 1 };
  const uint32_t lengths[] = { 0, 1, 15, 16, 39, 40, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffff000, MEMORY };
  const uint16_t indices[] = { RING, RING + 1, 255, 256, 0x7fff, 0xffff };
  wrong = at + below(3);
  switch (below(14)) {
    case 0: wrong->address = ONE_OF(nowhere); chain.name = "address"; break;
    case 1: wrong->length = ONE_OF(lengths); chain.name = "length"; break;
    case 2: wrong->address = ONE_OF(nowhere), wrong->length = ONE_OF(lengths); chain.name = "address and length"; break;
    case 3: wrong->flags |= NEXT, wrong->next = ONE_OF(indices); chain.name = "next"; break;
    case 4: wrong->flags |= NEXT, wrong->next = below(3); chain.name = "loop"; break;
    case 5: at[0].flags |= WRITES, at[1].flags &= ~WRITES; chain.name = "order"; break;
    case 6: wrong->flags ^= WRITES; chain.name = "direction"; break;
    case 7: wrong->flags = chance(); chain.name = "flags"; break;
    case 8: chain.head = ONE_OF(indices); chain.name = "head"; break;
    case 9: chain.by = 2 + below(0xfff0); chain.name = "index"; break;
    case 10: at[0].flags = 0; chain.name = "no answer"; break;
    case 11: at[0].length = below(length + 1); chain.name = "truncated"; break;
    case 12: { /* a table whose entries, length or place are wrong */
      static const uint32_t tables[] = { 0, 1, 15, 16, 17, 48, 0xfffffff0, 0xffffffff };
      memcpy(table, at, 3 * sizeof *at);
      at[0] = (struct descriptor){ below(3) ? memory.there + TABLE_AT : ONE_OF(nowhere), ONE_OF(tables), INDIRECT | (below(2) ? NEXT : 0), 1 };
      if (below(2)) table[0].flags |= INDIRECT;
      if (below(2)) table[below(3)].next = ONE_OF(indices);
      chain.name = "table";
      break;
    }
    default: /* nothing but chance, addresses mostly in reach */
      for (struct descriptor *each = at; each < at + RING; each++) {
        *each = (struct descriptor){ below(4) ? memory.there + below(MEMORY) : ONE_OF(nowhere), below(4) ? below(4096) : ONE_OF(lengths), chance() & 7, below(20) };
      }
      chain.name = "chance";
  }
  return chain;
}

#endif
