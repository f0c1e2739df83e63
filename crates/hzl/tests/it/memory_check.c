// Compares src/memory.c with the obvious loops, beside pages that nobody may touch. Started by memory.rs.

#include "../../src/memory.c"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ROOM = 8192, LENGTHS = 330, LONG = 5000 };

static unsigned long checks;

static void expect(int holds, const char *what, size_t length, long a, long b) {
  checks++;
  if (!holds) {
    printf("%s: length %zu, %ld, %ld\n", what, length, a, b);
    exit(1);
  }
}

// Bytes between two pages that cannot be touched.
static unsigned char *room(void) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  unsigned char *all = mmap(NULL, ROOM + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (all == MAP_FAILED || mprotect(all + page, ROOM, PROT_READ | PROT_WRITE) != 0) {
    exit(2);
  }
  return all + page;
}

static unsigned char pattern(size_t at) {
  return (unsigned char)(at * 151 + at / 251 + 7);
}

static void fill(unsigned char *bytes, size_t offset) {
  for (size_t at = 0; at < ROOM; at++) {
    bytes[at] = pattern(at + offset);
  }
}

typedef void *(*copier)(void *, const void *, size_t);

// Copies from one place to another, both of which may be in the same room, and looks at every byte afterwards.
static void copies(copier copy_bytes, unsigned char *to_room, size_t to, unsigned char *from_room, size_t from,
                   size_t length) {
  fill(to_room, 1000);
  fill(from_room, to_room == from_room ? 1000 : 0);
  size_t offset = to_room == from_room ? 1000 : 0;
  expect(copy_bytes(to_room + to, from_room + from, length) == to_room + to, "returned", length, (long)to, (long)from);
  for (size_t at = 0; at < ROOM; at++) {
    int is_inside = at >= to && at < to + length;
    unsigned char byte = is_inside ? pattern(at - to + from + offset) : pattern(at + 1000);
    if (to_room[at] != byte) {
      expect(0, "copied", length, (long)to, (long)from);
    }
  }
}

static void lengths(copier copy_bytes, unsigned char *one, unsigned char *other) {
  for (size_t length = 0; length <= LENGTHS; length++) {
    for (size_t align = 0; align < 16; align++) {
      // At the beginning of one room and at the end of the other.
      copies(copy_bytes, one, align, other, ROOM - length, length);
      copies(copy_bytes, one, ROOM - length, other, align, length);
    }
  }
  for (size_t length = LONG; length <= LONG + 70; length++) {
    copies(copy_bytes, one, ROOM - length, other, 3, length);
  }
}

static void overlaps(unsigned char *one) {
  for (size_t length = 0; length <= LENGTHS; length++) {
    for (size_t from = 0; from <= 200; from += 1 + from / 70) {
      copies(__wrap_memmove, one, 100, one, from, length);
    }
  }
  for (size_t from = 0; from <= 400; from += 7) {
    copies(__wrap_memmove, one, 200, one, from, LONG);
  }
}

static int sign(int number) {
  return (number > 0) - (number < 0);
}

typedef int (*comparer)(const void *, const void *, size_t);

static void comparisons(comparer compare, unsigned char *one, unsigned char *other, int is_ordered) {
  for (size_t length = 0; length <= 100; length++) {
    unsigned char *a = one + ROOM - length, *b = other + length % 16;
    for (size_t at = 0; at < length; at++) {
      a[at] = b[at] = pattern(at);
    }
    expect(compare(a, b, length) == 0, "equal", length, 0, 0);
    for (size_t at = 0; at < length; at++) {
      for (unsigned change = 1; change < 256; change += 42) {
        b[at] = (unsigned char)(a[at] + change);
        // What comes after the first difference says the opposite.
        unsigned char last = b[length - 1];
        if (at + 1 < length) {
          b[length - 1] = a[length - 1] + (b[at] > a[at] ? -1 : 1);
        }
        int said = compare(a, b, length), expected = a[at] < b[at] ? -1 : 1;
        expect(is_ordered ? sign(said) == expected : said != 0, "compared", length, (long)at, (long)change);
        b[length - 1] = at + 1 < length ? last : b[length - 1];
      }
      b[at] = a[at];
    }
  }
}

int main(void) {
  unsigned char *one = room(), *other = room();
  lengths(__wrap_memcpy, one, other);
  lengths(__wrap_memmove, one, other);
  overlaps(one);
  comparisons(__wrap_memcmp, one, other, 1);
  comparisons(__wrap_bcmp, one, other, 0);
  printf("%lu checks\n", checks);
  return 0;
}
