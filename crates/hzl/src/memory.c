// Copying and comparing for the static program, in place of what musl has for x86-64.
//
// musl copies with `rep movsq`, which takes some thirty cycles before the first byte moves, and compares byte by
// byte. Most pieces that SQLite and serde handle are shorter than 32 bytes: an import spent a fifth of its time
// here. `build.rs` links these with `--wrap`, so that every call arrives here, those of musl itself included.
//
// No loop below may be turned into a call of what it implements: `build.rs` forbids it to the compiler, and
// tests/it/memory.rs would run out of stack.

#include <stddef.h>
#include <stdint.h>

// Wherever they lie, and whatever lies there.
typedef uint16_t two __attribute__((aligned(1), may_alias));
typedef uint32_t four __attribute__((aligned(1), may_alias));
typedef uint64_t eight __attribute__((aligned(1), may_alias));
typedef uint64_t sixteen __attribute__((vector_size(16), aligned(1), may_alias));

typedef struct {
  sixteen a, b, c, d;
} block;

static inline block load(const unsigned char *from) {
  const sixteen *piece = (const sixteen *)from;
  return (block){piece[0], piece[1], piece[2], piece[3]};
}

static inline void store(unsigned char *to, block bytes) {
  sixteen *piece = (sixteen *)to;
  piece[0] = bytes.a;
  piece[1] = bytes.b;
  piece[2] = bytes.c;
  piece[3] = bytes.d;
}

// Copies the first and the last bytes as one piece each, which overlap in the middle. Both are loaded before
// anything is stored, so it does not matter how source and destination lie to one another.
#define ENDS(piece, to, from, length)                         \
  do {                                                        \
    piece first = *(const piece *)(from);                     \
    piece last = *(const piece *)((from) + (length) - sizeof last); \
    *(piece *)(to) = first;                                   \
    *(piece *)((to) + (length) - sizeof last) = last;         \
  } while (0)

static inline void copy_short(unsigned char *to, const unsigned char *from, size_t length) {
  if (length >= 16) {
    ENDS(sixteen, to, from, length);
  } else if (length >= 8) {
    ENDS(eight, to, from, length);
  } else if (length >= 4) {
    ENDS(four, to, from, length);
  } else if (length >= 2) {
    ENDS(two, to, from, length);
  } else if (length == 1) {
    *to = *from;
  }
}

static inline void copy(unsigned char *to, const unsigned char *from, size_t length) {
  if (length <= 32) {
    copy_short(to, from, length);
    return;
  }
  if (length <= 64) {
    const sixteen *first = (const sixteen *)from, *last = (const sixteen *)(from + length);
    block bytes = {first[0], first[1], last[-2], last[-1]};
    sixteen *start = (sixteen *)to, *end = (sixteen *)(to + length);
    start[0] = bytes.a;
    start[1] = bytes.b;
    end[-2] = bytes.c;
    end[-1] = bytes.d;
    return;
  }
  // The block at the far end is loaded first and stored last: the loop may end before it, and may have run over it.
  if ((uintptr_t)to - (uintptr_t)from >= length) {
    block last = load(from + length - sizeof last);
    for (size_t at = 0; at < length - sizeof last; at += sizeof last) {
      store(to + at, load(from + at));
    }
    store(to + length - sizeof last, last);
  } else {
    // The destination begins within the source: backwards.
    block first = load(from);
    for (size_t left = length; left > sizeof first; left -= sizeof first) {
      store(to + left - sizeof first, load(from + left - sizeof first));
    }
    store(to, first);
  }
}

void *__wrap_memcpy(void *to, const void *from, size_t length) {
  copy(to, from, length);
  return to;
}

void *__wrap_memmove(void *to, const void *from, size_t length) {
  copy(to, from, length);
  return to;
}

int __wrap_memcmp(const void *left, const void *right, size_t length) {
  const unsigned char *a = left, *b = right;
  for (; length >= 8; a += 8, b += 8, length -= 8) {
    eight x = *(const eight *)a, y = *(const eight *)b;
    if (x != y) {
      // The first byte in memory is the lowest here, and decides.
      return __builtin_bswap64(x) < __builtin_bswap64(y) ? -1 : 1;
    }
  }
  for (; length > 0; a++, b++, length--) {
    if (*a != *b) {
      return *a < *b ? -1 : 1;
    }
  }
  return 0;
}

int __wrap_bcmp(const void *left, const void *right, size_t length) {
  return __wrap_memcmp(left, right, length);
}
