/* bench_gen - inputs for scripts/bench, and an independent check of what came out.
 *
 *   bench_gen KIND SIZE SEED > FILE    rows of that kind, at most SIZE bytes in all
 *   bench_gen sum FILE                 rows, bytes and a checksum that no order changes
 *
 * The same KIND, SIZE and SEED give the same bytes anywhere.  It must outrun the disk, or
 * the set-up of a measurement outlasts it; and it shares no code with what it checks. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

__extension__ typedef unsigned __int128 wide;

enum { BUF_BYTES = 4 << 20, ALIGN_BYTES = 4096 };
enum { NWORDS = 8192, WORD_BYTES = 16, NDRAWS = 1 << 16 };

struct gen {
    uint64_t rng;
    uint64_t left_bytes; /* of SIZE, not yet given to a row */
    uint64_t size_bytes;
    size_t used;
    uint8_t *buf; /* BUF_BYTES, and behind them room for a small row */
    bool direct;
    struct word {
        uint8_t text[WORD_BYTES]; /* the word and a blank: copied whole, stepped by len */
    } words[NWORDS];
    uint8_t word_len[NWORDS];
    uint16_t draws[NDRAWS]; /* word k as often as its rank allows: about 1/(k+1) */
};

/* SplitMix64: one addition and a mixer, so a row costs little more than its stores. */
static uint64_t draw(struct gen *g)
{
    uint64_t x = g->rng += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

/* lo..hi, both included; the bias is below 2^-32 for the ranges used here. */
static uint64_t draw_between(struct gen *g, uint64_t lo, uint64_t hi)
{
    return lo + (uint64_t)((wide)draw(g) * (hi - lo + 1) >> 64);
}

/* Past the page cache if stdout allows it: twice as fast (0.32 s against 0.75 s for
 * 256 MiB), and nothing is left to be written back while something is measured. */
static void set_direct(bool on)
{
    struct stat st;
    int flags = fcntl(STDOUT_FILENO, F_GETFL);
    if (flags < 0 || fstat(STDOUT_FILENO, &st) < 0 || !S_ISREG(st.st_mode))
        return;
    fcntl(STDOUT_FILENO, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT);
}

/* Writes whole sectors and keeps the rest for the next time; at the end, everything. */
static bool flush(struct gen *g, bool at_end)
{
    size_t n = at_end ? g->used : g->used / ALIGN_BYTES * ALIGN_BYTES;
    if (at_end)
        set_direct(false);
    for (size_t at = 0; at < n;) {
        ssize_t k = write(STDOUT_FILENO, g->buf + at, n - at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0 && errno == EINVAL && g->direct) {
            set_direct(g->direct = false);
            continue;
        }
        if (k < 0) {
            fprintf(stderr, "bench_gen: stdout: %s\n", strerror(errno));
            return false;
        }
        at += (size_t)k;
    }
    g->used -= n;
    memmove(g->buf, g->buf + n, g->used);
    return true;
}

/* n bytes from '0' to 'o', and up to seven more that the caller overwrites. */
static void fill(struct gen *g, uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        uint64_t x = (draw(g) & 0x3f3f3f3f3f3f3f3f) + 0x3030303030303030;
        memcpy(p + i, &x, sizeof(x));
    }
}

/* The next row, its newline included, if it still fits: its length, else 0. */
static size_t put_row(struct gen *g, size_t len)
{
    if (len > g->left_bytes)
        return 0;
    uint8_t *p = g->buf + g->used;
    fill(g, p, len);
    p[len - 1] = '\n';
    return len;
}

static size_t row_a(struct gen *g)
{
    return put_row(g, draw_between(g, 60, 140));
}

static size_t row_c(struct gen *g)
{
    return put_row(g, draw_between(g, 8, 12));
}

/* Text: frequent words are short, lines are skewed (16..752 bytes, about 200). */
static size_t row_b(struct gen *g)
{
    uint64_t r = draw(g);
    size_t want = 16 + (size_t)((r & 0xffff) * (r >> 16 & 0xffff) * 736 >> 32);
    uint8_t *p = g->buf + g->used;
    size_t len = 0;
    while (len < want) {
        r = draw(g);
        for (int i = 0; i < 4; i++, r >>= 16) {
            unsigned w = g->draws[r & 0xffff];
            memcpy(p + len, g->words[w].text, WORD_BYTES);
            len += g->word_len[w];
        }
    }
    p[len - 1] = '\n';
    return len <= g->left_bytes ? len : 0;
}

static void make_words(struct gen *g)
{
    static const char letters[] = "etaoinshrdlucmfwypvbgkqjxz";
    double norm = 0, sum = 0;
    for (int k = 0; k < NWORDS; k++)
        norm += 1.0 / (k + 1);
    for (int k = 0, at = 0; k < NWORDS; k++) {
        unsigned rank_bits = 0;
        for (int v = k; v; v >>= 1)
            rank_bits++;
        size_t len = draw_between(g, 1 + rank_bits / 5, 2 + rank_bits * 3 / 4);
        for (size_t i = 0; i < len; i++) {
            /* the smaller of two draws: early letters are the common ones */
            uint64_t x = draw_between(g, 0, 25), y = draw_between(g, 0, 25);
            g->words[k].text[i] = (uint8_t)letters[x < y ? x : y];
        }
        g->words[k].text[len] = ' ';
        g->word_len[k] = (uint8_t)(len + 1);
        sum += 1.0 / (k + 1);
        int end = k == NWORDS - 1 ? NDRAWS : (int)(sum / norm * NDRAWS);
        while (at < end)
            g->draws[at++] = (uint16_t)k;
    }
}

static bool gen_small(struct gen *g, size_t (*row)(struct gen *))
{
    size_t len;
    while ((len = row(g)) > 0) {
        g->left_bytes -= len;
        g->used += len;
        if (g->used >= BUF_BYTES && !flush(g, false))
            return false;
    }
    return flush(g, true);
}

/* Rows of 1 to 100 MB when SIZE is 1 GiB, and in proportion: as many of 1 to 10 as of 10
 * to 100, since rows of one size are the easy case. */
static bool gen_large(struct gen *g)
{
    uint64_t unit = g->size_bytes / 1074;
    unit = unit < 16 ? 16 : unit;
    while (g->left_bytes >= unit) {
        uint64_t tens = draw(g) & 1 ? 10 : 1;
        uint64_t len = draw_between(g, unit * tens, unit * tens * 10);
        len = len < g->left_bytes ? len : g->left_bytes;
        g->left_bytes -= len;
        while (len > 0) {
            size_t room = BUF_BYTES - g->used;
            size_t n = len < room ? (size_t)len : room;
            fill(g, g->buf + g->used, n);
            g->used += n;
            len -= n;
            if (len == 0)
                g->buf[g->used - 1] = '\n';
            if (g->used == BUF_BYTES && !flush(g, false))
                return false;
        }
    }
    return flush(g, true);
}

static bool generate(char kind, uint64_t size_bytes, uint64_t seed)
{
    bool ok = false;
    struct gen *g = calloc(1, sizeof(*g));
    uint8_t *buf = aligned_alloc(ALIGN_BYTES, BUF_BYTES + ALIGN_BYTES);
    if (!g || !buf) {
        fprintf(stderr, "bench_gen: out of memory\n");
        goto out;
    }
    g->buf = buf;
    g->size_bytes = g->left_bytes = size_bytes;
    g->direct = true;
    set_direct(true);
    g->rng = seed * 0xd1342543de82ef95 + (uint64_t)kind;
    make_words(g);
    switch (kind) {
    case 'a': ok = gen_small(g, row_a); break;
    case 'b': ok = gen_small(g, row_b); break;
    case 'c': ok = gen_small(g, row_c); break;
    case 'd': ok = gen_large(g); break;
    }
out:
    free(buf);
    free(g);
    return ok;
}

static uint64_t load8(const uint8_t *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof(x));
    return x;
}

static uint64_t fold(uint64_t x, uint64_t y)
{
    wide z = (wide)x * y;
    return (uint64_t)z ^ (uint64_t)(z >> 64);
}

struct sum {
    uint64_t nrows, nbytes, h[2];
};

/* Adds two hashes of the row, made by different constants, to two sums: adding forgets
 * the order and keeps the number of equal rows, which xor would not. */
static void sum_row(struct sum *s, const uint8_t *p, size_t n)
{
    static const uint64_t k[] = { 0xa0761d6478bd642f, 0xe7037ed1a0b428db,
                                  0x8ebc6af09c88c6e3, 0x589965cc75374cc3,
                                  0x1d8e4e27c47d124f, 0xeb44accab455d165 };
    uint64_t a = n ^ k[4], b = n ^ k[5], x = 0, y = 0;
    for (; n > 16; p += 16, n -= 16) {
        x = load8(p);
        y = load8(p + 8);
        a = fold(x ^ k[0], y ^ a);
        b = fold(x ^ b, y ^ k[1]);
    }
    if (n >= 8) { /* the two loads may overlap: the length is hashed too */
        x = load8(p);
        y = load8(p + n - 8);
    } else {
        x = y = 0;
        for (size_t i = 0; i < n; i++)
            x = x << 8 | p[i];
    }
    a = fold(x ^ k[0], y ^ a);
    b = fold(x ^ b, y ^ k[1]);
    s->h[0] += fold(a ^ k[2], k[3]) ^ a;
    s->h[1] += fold(b ^ k[3], k[2]) ^ b;
    s->nrows++;
}

static bool sum_file(const char *path)
{
    bool ok = false;
    struct sum s = { 0 };
    struct stat st;
    const uint8_t *map = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        goto out;
    s.nbytes = (uint64_t)st.st_size;
    if (s.nbytes > 0) {
        void *m = mmap(NULL, s.nbytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (m == MAP_FAILED)
            goto out;
        map = m;
        madvise(m, s.nbytes, MADV_SEQUENTIAL);
    }
    for (uint64_t at = 0; at < s.nbytes;) {
        const uint8_t *p = map + at;
        const uint8_t *nl = memchr(p, '\n', s.nbytes - at);
        size_t len = nl ? (size_t)(nl - p) : (size_t)(s.nbytes - at);
        sum_row(&s, p, len);
        at += len + 1;
    }
    printf("%" PRIu64 " rows %" PRIu64 " bytes %016" PRIx64 "%016" PRIx64 "\n", s.nrows,
           s.nbytes, s.h[0], s.h[1]);
    ok = fflush(stdout) == 0;
out:
    if (!ok)
        fprintf(stderr, "bench_gen: %s: %s\n", path, strerror(errno));
    if (map)
        munmap((void *)map, s.nbytes);
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool parse(const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    unsigned shift = *end == 'G' ? 30 : *end == 'M' ? 20 : *end == 'K' ? 10 : 0;
    end += shift > 0;
    if (errno || end == text || *end || *value > UINT64_MAX >> shift)
        return false;
    *value <<= shift;
    return true;
}

int main(int argc, char **argv)
{
    uint64_t size_bytes, seed;
    if (argc == 3 && strcmp(argv[1], "sum") == 0)
        return sum_file(argv[2]) ? 0 : 1;
    if (argc == 4 && strlen(argv[1]) == 1 && strchr("abcd", argv[1][0]) &&
        parse(argv[2], &size_bytes) && parse(argv[3], &seed))
        return generate(argv[1][0], size_bytes, seed) ? 0 : 1;
    fprintf(stderr, "usage: bench_gen KIND SIZE SEED > FILE\n"
                    "       bench_gen sum FILE\n"
                    "  KIND  a: 60 to 140 bytes a row   b: text, about 200   c: 8 to 12\n"
                    "        d: rows of SIZE/1074 to SIZE/10.74 (1 to 100 MB in 1 GiB)\n"
                    "  SIZE  in bytes, or with K, M, G\n");
    return 1;
}
