/* bench_text - more text than there is, for scripts/bench.
 *
 *   bench_text en|zh SIZE SEED < LINES > FILE
 *
 * Writes lines of at most SIZE bytes in all, made of the sentences of LINES in random
 * order.  The same text over and over would flatter whoever remembers words: so some words
 * give way to ones that were made up, from a tail as long as that of a real corpus, numbers
 * to other numbers, Chinese characters to rare ones.  Standard error tells rows, bytes and
 * unique words (runs of ASCII letters, lower case) or Chinese characters.
 *
 * The same LINES, SIZE and SEED give the same bytes anywhere. */
#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Shares of 1000.  With them 120 MB of English have 121,627 unique words, 58 % of them once;
 * 120 MB of novels were found to have 122,765. */
enum { RARE_WORDS = 22, RARE_NAMES = 60, RARE_CHARS = 4 };
enum { TAIL_WORDS = 1000000, HAN_FIRST = 0x4e00, HAN_LAST = 0x9fa5 };
enum { SENTENCES_MEAN = 3, SENTENCE_MAX = 4096 };
enum { SET_SLOTS = 1 << 22, LOW_WORDS = 1 << 17 };

struct piece {
    const char *p;
    size_t len;
};

static struct piece *sentences, words[LOW_WORDS];
static size_t nsentences, nwords;
static uint64_t rng, seen[SET_SLOTS], nseen;

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static uint64_t draw(uint64_t n)
{
    return (mix(rng += 0x9e3779b97f4a7c15) >> 32) * n >> 32;
}

/* Number k below n with a share of about 1/k: each power of two as often as the next. */
static uint64_t draw_tail(uint64_t n)
{
    for (;;) {
        uint64_t octave = (uint64_t)1 << draw(20), k = octave + draw(octave);
        if (k < n)
            return k;
    }
}

/* true: this is the first time. */
static bool see(const char *p, size_t len)
{
    uint64_t h = 1;
    for (size_t i = 0; i < len; i++)
        h = mix(h + (uint8_t)tolower((uint8_t)p[i]));
    h |= 1;
    size_t i = h >> 20 & (SET_SLOTS - 1);
    while (seen[i] && seen[i] != h)
        i = (i + 1) & (SET_SLOTS - 1);
    if (seen[i] || nseen == SET_SLOTS / 2)
        return false;
    seen[i] = h;
    nseen++;
    return true;
}

static size_t letters(const char *p, const char *end)
{
    const char *from = p;
    while (p < end && isalpha((uint8_t)*p))
        p++;
    return (size_t)(p - from);
}

/* The bytes of a character, by its first. */
static size_t char_len(uint8_t b)
{
    return b < 0x80 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
}

/* Where the sentence that begins at p ends, what stands behind it included. */
static const char *sentence_end(const char *p, const char *end)
{
    static const char *const marks[] = { "。", "！", "？", "；" };
    for (const char *from = p; p < end; p++) {
        if (p - from > SENTENCE_MAX - 8 && ((uint8_t)*p & 0xc0) != 0x80)
            return p;
        if (end - p > 1 && (*p == '.' || *p == '!' || *p == '?') && p[1] == ' ')
            return p + 2;
        for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
            if (end - p >= 3 && memcmp(p, marks[i], 3) == 0)
                return p + 3;
    }
    return end;
}

static void take(const char *text, size_t len)
{
    const char *p = text, *end = text + len;
    sentences = malloc((len / 2 + 1) * sizeof *sentences);
    if (!sentences)
        exit(1);
    while (p < end) {
        const char *line = memchr(p, '\n', (size_t)(end - p));
        line = line ? line : end;
        while (p < line) {
            const char *stop = sentence_end(p, line);
            sentences[nsentences++] = (struct piece){ p, (size_t)(stop - p) };
            p = stop;
        }
        p++;
    }
    for (p = text; p < end; p++) {
        size_t n = letters(p, end);
        if (n > 3 && n < 12 && islower((uint8_t)*p) && nwords < LOW_WORDS && see(p, n))
            words[nwords++] = (struct piece){ p, n };
        p += n;
    }
    memset(seen, 0, sizeof seen);
    nseen = 0;
}

/* Word k of the tail: the head of one word and the end of another. */
static size_t rare_word(uint64_t k, char *to)
{
    uint64_t h = mix(k * 0x9e3779b97f4a7c15 + 1);
    struct piece a = words[(h & 0xffffff) * nwords >> 24],
                 b = words[(h >> 24 & 0xffffff) * nwords >> 24];
    size_t n = a.len - (h >> 48 & 1), m = b.len - 1 - (h >> 49 & 1);
    n = n > 6 ? n - 2 : n;
    memcpy(to, a.p, n);
    memcpy(to + n, b.p + b.len - m, m);
    return n + m;
}

static size_t put_han(uint32_t cp, char *to)
{
    to[0] = (char)(0xe0 | cp >> 12);
    to[1] = (char)(0x80 | (cp >> 6 & 63));
    to[2] = (char)(0x80 | (cp & 63));
    return 3;
}

static size_t put_word(const char *p, size_t n, bool first, char *to)
{
    bool name = isupper((uint8_t)*p) && n > 1 && islower((uint8_t)p[1]) && !first;
    size_t k = n;
    if (nwords > 1000 &&
        (name ? draw(1000) < RARE_NAMES : n > 3 && draw(1000) < RARE_WORDS)) {
        k = rare_word(draw_tail(TAIL_WORDS), to);
        if (isupper((uint8_t)*p))
            *to = (char)toupper((uint8_t)*to);
    } else {
        memcpy(to, p, n);
    }
    (void)see(to, k);
    return k;
}

/* A sentence as it is but for its rare words; to has room for four times its bytes. */
static size_t put_sentence(const struct piece *s, char *to)
{
    const char *p = s->p, *end = p + s->len;
    char *from = to;
    while (p < end) {
        size_t n = letters(p, end);
        if (n) {
            to += put_word(p, n, p == s->p, to);
            p += n;
            continue;
        }
        n = char_len((uint8_t)*p);
        if (isdigit((uint8_t)*p)) {
            *to++ = (char)('0' + draw(10));
        } else if ((uint8_t)*p >= 0xe4 && (uint8_t)*p <= 0xe9) {
            uint64_t k = draw_tail(HAN_LAST - HAN_FIRST + 1);
            if (draw(1000) < RARE_CHARS)
                put_han(HAN_FIRST + (uint32_t)(k * 7919 % (HAN_LAST - HAN_FIRST + 1)),
                        to);
            else
                memcpy(to, p, 3);
            (void)see(to, 3);
            to += 3;
        } else {
            memcpy(to, p, n);
            to += n;
        }
        p += n;
    }
    return (size_t)(to - from);
}

static char *slurp(size_t *n)
{
    size_t cap = 1 << 24;
    char *p = malloc(cap);
    for (*n = 0; p;) {
        size_t k = fread(p + *n, 1, cap - *n - 16, stdin);
        if (!k)
            break;
        *n += k;
        if (cap - *n == 16)
            p = realloc(p, cap *= 2);
    }
    return p;
}

int main(int argc, char **argv)
{
    static char line[4 * SENTENCE_MAX * 16];
    size_t len, rows = 0;
    if (argc != 4) {
        fprintf(stderr, "usage: bench_text en|zh SIZE SEED < LINES > FILE\n");
        return 2;
    }
    uint64_t size = strtoull(argv[2], NULL, 10), bytes = 0;
    rng = mix(strtoull(argv[3], NULL, 10) + 1);
    char *text = slurp(&len);
    if (!text || !len)
        return 1;
    take(text, len);
    for (;;) {
        size_t n = 0, k = 1 + draw(SENTENCES_MEAN * 2 - 1);
        /* a run of a chapter's own sentences, or from all over */
        for (size_t at = draw(nsentences); k > 0; k--) {
            size_t i = draw(2) ? draw(nsentences) : at++ % nsentences;
            if (n + 4 * sentences[i].len + 2 > sizeof line)
                break;
            n += put_sentence(&sentences[i], line + n);
            if (k > 1 && n && argv[1][0] == 'e' && line[n - 1] != ' ')
                line[n++] = ' ';
        }
        while (n && line[n - 1] == ' ')
            n--;
        line[n++] = '\n';
        if (bytes + n > size)
            break;
        if (fwrite(line, 1, n, stdout) != n)
            return 1;
        bytes += n;
        rows++;
    }
    fprintf(stderr, "%zu rows, %" PRIu64 " bytes, %" PRIu64 " unique %s\n", rows, bytes,
            nseen, argv[1][0] == 'e' ? "words" : "characters and words");
    return fflush(stdout) ? 1 : 0;
}
