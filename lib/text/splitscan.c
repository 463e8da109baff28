#include "text/splitscan.h"

#include <string.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/uniprop.h"

#if defined __x86_64__ && defined __GNUC__
#define HAVE_X86 1
#include <immintrin.h>
#endif

enum {
    L = TSL_SPLITSCAN_L,
    N = TSL_SPLITSCAN_N,
    S = TSL_SPLITSCAN_S,
    X = TSL_SPLITSCAN_X,
    UPPER = TSL_SPLITSCAN_UPPER,
    LOWER = TSL_SPLITSCAN_LOWER,
    NL = TSL_SPLITSCAN_NL,
    ODD = TSL_SPLITSCAN_ODD
};

/* ---- one character at a time ------------------------------------------------------------ */

static uint32_t class_of(uint32_t cp)
{
    uint32_t props = tsl_uniprop(cp), class;
    class = props & TSL_UNI_SPACE ? S : props & TSL_UNI_L ? L : props & TSL_UNI_N ? N : X;
    if (props & TSL_UNI_UPPER)
        class |= UPPER;
    if (props & TSL_UNI_LOWER)
        class |= LOWER;
    if (cp == '\r' || cp == '\n')
        class |= NL;
    return class;
}

static uint32_t class_slow(const struct tsl_splitscan *s, const uint8_t *p,
                           const uint8_t *end, size_t *n)
{
    uint32_t cp;
    *n = tsl_utf8_decode(p, end, &cp);
    if (cp == TSL_UTF8_BAD)
        return s->keep_bad ? X : X | ODD;
    if (cp < 0x10000)
        return s->bmp[cp];
    return class_of(cp) | (s->odd && s->odd(cp) ? ODD : 0);
}

uint32_t tsl_splitscan_class(const struct tsl_splitscan *s, const uint8_t *p,
                             const uint8_t *end, size_t *n)
{
    uint32_t a = p[0];
    if (a < 0x80) {
        *n = 1;
        return s->bmp[a];
    }
    if (a >= 0xc2 && a < 0xe0 && end - p > 1 && (p[1] & 0xc0) == 0x80) {
        *n = 2;
        return s->bmp[(a & 0x1f) << 6 | (p[1] & 0x3f)];
    }
    return class_slow(s, p, end, n);
}

/* Where the scan of one piece is.  At the end of the text every class test fails; looking
 * there at all is remembered. */
struct cursor {
    const struct tsl_splitscan *s;
    const uint8_t *p, *end;
    bool touched, odd;
};

static inline uint32_t peek(struct cursor *c, size_t *n)
{
    uint32_t class;
    if (c->p >= c->end) {
        c->touched = true;
        *n = 0;
        return 0;
    }
    if (*c->p < 0x80) {
        *n = 1;
        class = c->s->bmp[*c->p];
    } else {
        class = tsl_splitscan_class(c->s, c->p, c->end, n);
        /* Ill-formed up to the end: it may be a character that is cut. */
        if (c->p + *n == c->end && (class & X))
            c->touched = true;
    }
    c->odd |= (class & ODD) != 0;
    return class;
}

static inline bool run_of(struct cursor *c, uint32_t classes)
{
    const uint8_t *from = c->p;
    size_t n;
    while (peek(c, &n) & classes)
        c->p += n;
    return c->p > from;
}

/* Byte i from the cursor, 0 beyond the end. */
static inline unsigned byte_at(struct cursor *c, size_t i)
{
    if ((size_t)(c->end - c->p) > i)
        return c->p[i];
    c->touched = true;
    return 0;
}

/* '(?:[sdmt]|ll|ve|re); fold: in either case, and U+017F for s. */
static bool contraction(struct cursor *c, bool fold)
{
    unsigned a, b, bit = fold ? 0x20 : 0, n = 0;
    if (byte_at(c, 0) != '\'')
        return false;
    a = byte_at(c, 1);
    b = a | bit;
    if (b == 's' || b == 'd' || b == 'm' || b == 't')
        n = 2;
    else if (b == 'l' && (byte_at(c, 2) | bit) == 'l')
        n = 3;
    else if ((b == 'v' || b == 'r') && (byte_at(c, 2) | bit) == 'e')
        n = 3;
    else if (fold && a == 0xc5 && byte_at(c, 2) == 0xbf)
        n = 3;
    c->p += n;
    return n > 0;
}

/* Behind the run of white space: \s+(?!\S)|\s+, and with lines \s*[\r\n]+ before it. */
static void spaces(struct cursor *c, bool lines, bool whole_end)
{
    const uint8_t *from = c->p, *line = NULL, *before = c->p;
    uint32_t class;
    size_t n;
    while ((class = peek(c, &n)) & S) {
        before = c->p;
        c->p += n;
        if (class & NL)
            line = c->p;
    }
    if (whole_end && c->p == c->end)
        return;
    if (lines && line)
        c->p = line;
    else if (c->p < c->end && before > from)
        c->p = before;
}

static void gpt2(struct cursor *c)
{
    size_t n;
    if (contraction(c, false))
        return;
    const uint8_t *from = c->p;
    if (*from == ' ')
        c->p++;
    uint32_t kind = peek(c, &n) & (L | N | X);
    if (kind) {
        (void)run_of(c, kind);
        return;
    }
    c->p = from;
    spaces(c, false, false);
}

/* Numbers, others with line ends behind them, white space. */
static void numbers_others_spaces(struct cursor *c, unsigned digits, bool slash)
{
    const uint8_t *from = c->p;
    size_t n;
    while (digits-- && (peek(c, &n) & N))
        c->p += n;
    if (c->p > from)
        return;
    if (*from == ' ')
        c->p++;
    if (run_of(c, X)) {
        while ((peek(c, &n) & NL) || (slash && n && *c->p == '/'))
            c->p += n;
        return;
    }
    c->p = from;
    spaces(c, true, c->s->pattern == TSL_SPLITPAT_CL100K_T);
}

static void cl100k(struct cursor *c, unsigned digits)
{
    const uint8_t *from = c->p;
    size_t n;
    if (contraction(c, true))
        return;
    if (!(peek(c, &n) & (L | N | NL)))
        c->p += n;
    if (run_of(c, L))
        return;
    c->p = from;
    numbers_others_spaces(c, digits, false);
}

/* UPPER*LOWER+ */
static bool upper_lower(struct cursor *c)
{
    const uint8_t *from = c->p, *both = NULL;
    uint32_t class;
    size_t n;
    while ((class = peek(c, &n)) & UPPER) {
        c->p += n;
        if (class & LOWER)
            both = c->p;
    }
    if (run_of(c, LOWER))
        return true;
    c->p = both ? both : from;
    return both != NULL;
}

static void o200k(struct cursor *c, unsigned digits, bool contract)
{
    const uint8_t *from = c->p, *lead;
    size_t n;
    if (!(peek(c, &n) & (L | N | NL)))
        c->p += n;
    lead = c->p;
    bool word = upper_lower(c);
    if (!word && lead > from) {
        c->p = from;
        word = upper_lower(c);
    }
    if (!word) {
        c->p = lead;
        word = run_of(c, UPPER);
    }
    if (word) {
        if (contract)
            (void)contraction(c, true);
        return;
    }
    c->p = from;
    numbers_others_spaces(c, digits, true);
}

int64_t tsl_splitscan_next(const struct tsl_splitscan *s, struct tsl_slice text,
                           size_t at, bool last)
{
    const uint8_t *end = text.data + text.len;
    struct cursor c = { s, text.data + at, end, false, false };
    switch (s->pattern) {
    case TSL_SPLITPAT_GPT2: gpt2(&c); break;
    case TSL_SPLITPAT_CL100K:
    case TSL_SPLITPAT_CL100K_T: cl100k(&c, 3); break;
    case TSL_SPLITPAT_QWEN2: cl100k(&c, 1); break;
    case TSL_SPLITPAT_O200K: o200k(&c, 3, true); break;
    case TSL_SPLITPAT_TEKKEN: o200k(&c, 1, false); break;
    default:
        while (c.p < end) {
            size_t n;
            (void)peek(&c, &n);
            c.p += n;
        }
        c.touched = true;
    }
    /* What follows may still change by being normalised together with the piece. */
    if (c.p < end && *c.p >= 0x80) {
        size_t n;
        (void)peek(&c, &n);
    }
    if (c.touched && !last)
        return TSL_SPLITSCAN_MORE;
    if (c.odd)
        return TSL_SPLITSCAN_MET_ODD;
    return c.p - text.data;
}

/* ---- 64 bytes at a time ----------------------------------------------------------------- */

/* One bit a byte. */
struct masks {
    uint64_t letter, number, space, blank /* U+0020 */, newline, quote, upper, high;
};

/* The starts of pieces in a window that begins with a piece.  n: how many of its bytes are
 * text and ASCII; end: behind those is the end of the text, and the masks have white space
 * there.  Bits that depend on what is behind n are left out; with end, bit n is set. */
typedef uint64_t starts_fn(const struct masks *m, const uint8_t *p, unsigned n, bool end);

/* White space at the end may go on, and everything of it but its start hangs on that.
 * Otherwise the last byte may belong to what follows. */
TSL_INLINE uint64_t certain(uint64_t starts, const struct masks *m, unsigned n,
                            unsigned margin)
{
    uint64_t text = n < 64 ? ((uint64_t)1 << n) - 1 : ~(uint64_t)0;
    uint64_t other = ~m->space & text;
    unsigned past = other ? 64 - (unsigned)__builtin_clzll(other) : 0; /* the last + 1 */
    unsigned bound = past < n ? past : n > margin ? n - margin : 0;
    return starts & (((uint64_t)2 << bound) - 1);
}

TSL_INLINE uint64_t with_end(uint64_t starts, unsigned n)
{
    uint64_t bit = (uint64_t)1 << n;
    return (starts & (bit - 1)) | bit;
}

/* The length of the contraction whose quote is at p[0], of which n bytes may be read; 0:
 * it is none, or not yet certain. */
TSL_INLINE unsigned contraction_len(const uint8_t *p, unsigned n, unsigned bit)
{
    unsigned a = n > 1 ? p[1] | bit : 0, b = n > 2 ? p[2] | bit : 0;
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
        return 2;
    return (a == 'l' && b == 'l') || ((a == 'v' || a == 'r') && b == 'e') ? 3 : 0;
}

TSL_INLINE uint64_t gpt2_starts(const struct masks *m, const uint8_t *p, unsigned n,
                                bool end)
{
    uint64_t l = m->letter, d = m->number, s = m->space;
    uint64_t change = (l ^ l << 1) | (d ^ d << 1) | (s ^ s << 1) | 1;
    uint64_t starts = change & ~(m->blank << 1 & ~s);
    starts |= s & ~(s >> 1); /* the last of a run of white space */
    uint64_t text = n < 64 ? ((uint64_t)1 << n) - 1 : ~(uint64_t)0;
    for (uint64_t q = m->quote & starts & l >> 1 & text; q; q &= q - 1) {
        unsigned i = (unsigned)__builtin_ctzll(q), k = contraction_len(p + i, n - i, 0);
        if (k) {
            starts &= ~((uint64_t)2 << i);
            starts |= (uint64_t)1 << i << k; /* i + k <= n <= 64: shifted in two steps */
        }
    }
    return end ? with_end(starts, n) : certain(starts, m, n, 2);
}

TSL_INLINE uint64_t cl100k_starts(const struct masks *m, const uint8_t *p, unsigned n,
                                  bool end, unsigned digits, bool whole_end)
{
    uint64_t l = m->letter, d = m->number, s = m->space, x = ~(l | d | s);
    uint64_t change = (l ^ l << 1) | (d ^ d << 1) | (s ^ s << 1) | 1;
    uint64_t blank_before = m->blank << 1;
    /* Line ends right behind "other" belong to it. */
    uint64_t seeds = m->newline & x << 1;
    uint64_t taken = m->newline & ~(m->newline + seeds);
    uint64_t w = s & ~taken, plain = w & ~m->newline;
    uint64_t starts = (change & ~taken) | (w & ~(w << 1));
    /* A run of white space with line ends is cut behind the last of them. */
    uint64_t behind = plain & (m->newline & w) << 1;
    uint64_t not_last = (plain + behind) & ~plain & m->newline;
    for (; TSL_UNLIKELY(not_last); not_last &= not_last - 1) {
        uint64_t below = behind & ((not_last & -not_last) - 1);
        behind &= ~((uint64_t)1 << (63 - __builtin_clzll(below)));
    }
    starts |= behind;
    starts |= plain & ~(s >> 1);
    /* One "other" or white space in front of letters goes with them. */
    starts &= ~(l & plain << 1);
    starts &= ~(x & blank_before);
    uint64_t x_start = x & ~(x << 1) & ~blank_before;
    starts &= ~((x_start & l >> 1) << 1);
    uint64_t text = n < 64 ? ((uint64_t)1 << n) - 1 : ~(uint64_t)0;
    for (uint64_t q = m->quote & x_start & l >> 1 & text; q; q &= q - 1) {
        unsigned i = (unsigned)__builtin_ctzll(q),
                 k = contraction_len(p + i, n - i, 0x20);
        if (k)
            starts |= (uint64_t)1 << i << k;
    }
    if (digits == 1) {
        starts |= d;
    } else {
        uint64_t three = d & d << 1 & d << 2, group = d & ~(d << 1);
        while ((group = group << 3 & three) != 0)
            starts |= group;
    }
    if (!end)
        return certain(starts, m, n, 2);
    if (whole_end) {
        uint64_t other = ~w & text;
        unsigned past = other ? 64 - (unsigned)__builtin_clzll(other) : 0;
        starts &= ((uint64_t)2 << past) - 1;
    }
    return with_end(starts, n);
}

TSL_INLINE uint64_t cl100k_hf_starts(const struct masks *m, const uint8_t *p, unsigned n,
                                     bool end)
{
    return cl100k_starts(m, p, n, end, 3, false);
}

TSL_INLINE uint64_t cl100k_t_starts(const struct masks *m, const uint8_t *p, unsigned n,
                                    bool end)
{
    return cl100k_starts(m, p, n, end, 3, true);
}

TSL_INLINE uint64_t qwen2_starts(const struct masks *m, const uint8_t *p, unsigned n,
                                 bool end)
{
    return cl100k_starts(m, p, n, end, 1, false);
}

typedef void masks_fn(struct masks *m, const uint8_t p[64]);

/* Rows lie one behind the other, and what is read next crosses into a new page sooner than
 * the machine's own prefetching notices. */
enum { AHEAD_BYTES = 1024 };

/* Writes the ends of the pieces of p[0, len) and returns where the last of them is. */
TSL_INLINE size_t ascii_run(masks_fn *masks_of, starts_fn *starts_of,
                            void (*put)(uint64_t starts, uint32_t base, uint32_t *out),
                            const uint8_t *p, size_t len, bool last, uint32_t base,
                            uint32_t *out, size_t cap, size_t *nout)
{
    uint8_t tail[TSL_SPLITSCAN_WINDOW];
    size_t at = 0, k = 0;
    struct masks m;
    while (at < len && cap - k >= TSL_SPLITSCAN_WINDOW) {
        const uint8_t *window = p + at;
        unsigned n = TSL_SPLITSCAN_WINDOW;
        bool end = false;
        if (len - at < TSL_SPLITSCAN_WINDOW) {
            n = (unsigned)(len - at);
            memset(tail, ' ', sizeof tail);
            memcpy(tail, window, n);
            window = tail;
            end = last;
        }
        TSL_PREFETCH(window + AHEAD_BYTES);
        masks_of(&m, window);
        if (TSL_UNLIKELY(m.high)) {
            n = (unsigned)__builtin_ctzll(m.high);
            end = false;
        }
        uint64_t starts = starts_of(&m, window, n, end) & ~(uint64_t)1;
        if (!starts)
            break;
        put(starts, base + (uint32_t)at, out + k);
        k += (unsigned)__builtin_popcountll(starts);
        at = out[k - 1] - base;
    }
    *nout = k;
    return at;
}

static void put_plain(uint64_t starts, uint32_t base, uint32_t *out)
{
    for (; starts; starts &= starts - 1)
        *out++ = base + (uint32_t)__builtin_ctzll(starts);
}

static void masks_plain(struct masks *m, const uint8_t p[64])
{
    *m = (struct masks){ 0 };
    for (unsigned i = 0; i < 64; i++) {
        uint64_t bit = (uint64_t)1 << i;
        uint8_t c = p[i], folded = c | 0x20;
        if (folded >= 'a' && folded <= 'z')
            m->letter |= bit;
        else if (c >= '0' && c <= '9')
            m->number |= bit;
        else if (c == ' ' || (c >= 9 && c <= 13))
            m->space |= bit;
        if (c == ' ')
            m->blank |= bit;
        if (c == '\n' || c == '\r')
            m->newline |= bit;
        if (c == '\'')
            m->quote |= bit;
        if (c >= 0x80)
            m->high |= bit;
    }
}

/* One function for each pattern and instruction set, so that all of it is inlined. */
#define ASCII_RUNS(isa, target)                                                          \
    ASCII_RUN(isa, target, gpt2)                                                         \
    ASCII_RUN(isa, target, cl100k_hf)                                                    \
    ASCII_RUN(isa, target, cl100k_t)                                                     \
    ASCII_RUN(isa, target, qwen2)
#define ASCII_RUN(isa, target, name)                                                     \
    target static size_t name##_##isa(const struct tsl_splitscan *s, const uint8_t *p,   \
                                      size_t len, bool last, uint32_t base,              \
                                      uint32_t *out, size_t cap, size_t *nout)           \
    {                                                                                    \
        (void)s;                                                                         \
        return ascii_run(masks_##isa, name##_starts, put_##isa, p, len, last, base, out, \
                         cap, nout);                                                     \
    }

ASCII_RUNS(plain, )

#ifdef HAVE_X86

#define AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))
#define AVX512                                                                           \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2,avx2,bmi,bmi2,lzcnt,"   \
                          "popcnt")))

AVX2 static inline uint64_t two(__m256i a, __m256i b)
{
    return (uint32_t)_mm256_movemask_epi8(a) | (uint64_t)(uint32_t)_mm256_movemask_epi8(b)
                                                   << 32;
}

/* Bytes of v from lo on, span of them: as signed bytes, after a shift to the lowest. */
AVX2 static inline __m256i within(__m256i v, int lo, int span)
{
    __m256i low = _mm256_add_epi8(v, _mm256_set1_epi8((char)(0x80 - lo)));
    return _mm256_cmpgt_epi8(_mm256_set1_epi8((char)(0x80 + span)), low);
}

AVX2 static inline void masks_avx2(struct masks *m, const uint8_t p[64])
{
    __m256i a = _mm256_loadu_si256((const void *)p);
    __m256i b = _mm256_loadu_si256((const void *)(p + 32));
    __m256i bit = _mm256_set1_epi8(0x20), blank = bit;
    __m256i lf = _mm256_set1_epi8('\n'), cr = _mm256_set1_epi8('\r');
    __m256i quote = _mm256_set1_epi8('\'');
    m->high = two(a, b);
    m->letter = two(within(_mm256_or_si256(a, bit), 'a', 26),
                    within(_mm256_or_si256(b, bit), 'a', 26));
    m->number = two(within(a, '0', 10), within(b, '0', 10));
    m->blank = two(_mm256_cmpeq_epi8(a, blank), _mm256_cmpeq_epi8(b, blank));
    m->space = m->blank | two(within(a, 9, 5), within(b, 9, 5));
    m->newline = two(_mm256_cmpeq_epi8(a, lf), _mm256_cmpeq_epi8(b, lf)) |
                 two(_mm256_cmpeq_epi8(a, cr), _mm256_cmpeq_epi8(b, cr));
    m->quote = two(_mm256_cmpeq_epi8(a, quote), _mm256_cmpeq_epi8(b, quote));
}

AVX2 static inline void put_avx2(uint64_t starts, uint32_t base, uint32_t *out)
{
    /* Room for 64 is there: more is stored than there are, four at a time. */
    for (; starts; out += 4) {
        out[0] = base + (uint32_t)_tzcnt_u64(starts);
        starts = _blsr_u64(starts);
        out[1] = base + (uint32_t)_tzcnt_u64(starts);
        starts = _blsr_u64(starts);
        out[2] = base + (uint32_t)_tzcnt_u64(starts);
        starts = _blsr_u64(starts);
        out[3] = base + (uint32_t)_tzcnt_u64(starts);
        starts = _blsr_u64(starts);
    }
}

AVX512 static inline void masks_avx512(struct masks *m, const uint8_t p[64])
{
    __m512i v = _mm512_loadu_si512((const void *)p);
    __m512i folded = _mm512_or_si512(v, _mm512_set1_epi8(0x20));
    m->high = _mm512_movepi8_mask(v);
    m->letter = _mm512_cmplt_epu8_mask(_mm512_sub_epi8(folded, _mm512_set1_epi8('a')),
                                       _mm512_set1_epi8(26));
    m->number = _mm512_cmplt_epu8_mask(_mm512_sub_epi8(v, _mm512_set1_epi8('0')),
                                       _mm512_set1_epi8(10));
    m->blank = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(' '));
    m->space = m->blank | _mm512_cmplt_epu8_mask(_mm512_sub_epi8(v, _mm512_set1_epi8(9)),
                                                 _mm512_set1_epi8(5));
    m->newline = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\n')) |
                 _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\r'));
    m->quote = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\''));
}

AVX512 static inline void put_avx512(uint64_t starts, uint32_t base, uint32_t *out)
{
    static const uint8_t places[64] __attribute__((aligned(
        64))) = { 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                  16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
                  32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47,
                  48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63 };
    __m512i at =
        _mm512_maskz_compress_epi8(starts, _mm512_load_si512((const void *)places));
    __m512i from = _mm512_set1_epi32((int)base);
    __m512i low = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(at));
    _mm512_storeu_si512((void *)out, _mm512_add_epi32(low, from));
    if (TSL_UNLIKELY(_mm_popcnt_u64(starts) > 16)) {
        __m128i q1 = _mm512_extracti32x4_epi32(at, 1);
        __m128i q2 = _mm512_extracti32x4_epi32(at, 2);
        __m128i q3 = _mm512_extracti32x4_epi32(at, 3);
        _mm512_storeu_si512((void *)(out + 16),
                            _mm512_add_epi32(_mm512_cvtepu8_epi32(q1), from));
        _mm512_storeu_si512((void *)(out + 32),
                            _mm512_add_epi32(_mm512_cvtepu8_epi32(q2), from));
        _mm512_storeu_si512((void *)(out + 48),
                            _mm512_add_epi32(_mm512_cvtepu8_epi32(q3), from));
    }
}

ASCII_RUNS(avx2, AVX2)
ASCII_RUNS(avx512, AVX512)

static bool have_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
}

static bool have_avx512(void)
{
    return have_avx2() && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi2");
}

#define ASCII_OF(name)                                                                   \
    {                                                                                    \
        name##_plain, name##_avx2, name##_avx512                                         \
    }

#else

static bool have_avx2(void)
{
    return false;
}

static bool have_avx512(void)
{
    return false;
}

#define ASCII_OF(name)                                                                   \
    {                                                                                    \
        name##_plain, NULL, NULL                                                         \
    }

#endif

typedef size_t ascii_fn(const struct tsl_splitscan *s, const uint8_t *p, size_t len,
                        bool last, uint32_t base, uint32_t *out, size_t cap,
                        size_t *nout);

/* By pattern, then by instruction set: plain, AVX2, AVX-512. */
static ascii_fn *ascii_of(enum tsl_splitpat pattern, unsigned isa)
{
    static ascii_fn *const gpt2_fns[] = ASCII_OF(gpt2);
    static ascii_fn *const cl100k_fns[] = ASCII_OF(cl100k_hf);
    static ascii_fn *const cl100k_t_fns[] = ASCII_OF(cl100k_t);
    static ascii_fn *const qwen2_fns[] = ASCII_OF(qwen2);
    switch (pattern) {
    case TSL_SPLITPAT_GPT2: return gpt2_fns[isa];
    case TSL_SPLITPAT_CL100K: return cl100k_fns[isa];
    case TSL_SPLITPAT_CL100K_T: return cl100k_t_fns[isa];
    case TSL_SPLITPAT_QWEN2: return qwen2_fns[isa];
    default: return NULL;
    }
}

bool tsl_splitscan_knows(enum tsl_splitpat pattern)
{
    return pattern == TSL_SPLITPAT_UNKNOWN || pattern == TSL_SPLITPAT_GPT2 ||
           pattern == TSL_SPLITPAT_CL100K || pattern == TSL_SPLITPAT_CL100K_T ||
           pattern == TSL_SPLITPAT_QWEN2 || pattern == TSL_SPLITPAT_O200K ||
           pattern == TSL_SPLITPAT_TEKKEN;
}

int tsl_splitscan_init(struct tsl_splitscan *s, enum tsl_splitpat pattern, bool keep_bad,
                       bool (*odd)(uint32_t cp), enum tsl_splitscan_isa isa,
                       struct tsl_err *err)
{
    *s = (struct tsl_splitscan){ .pattern = pattern, .keep_bad = keep_bad, .odd = odd };
    if (!tsl_splitscan_knows(pattern))
        return tsl_err_set(err, TSL_EUSAGE, "no fast form of the split pattern %s",
                           tsl_splitpat_regex(pattern));
    if (isa == TSL_SPLITSCAN_BEST)
        isa = have_avx512() ? TSL_SPLITSCAN_AVX512
              : have_avx2() ? TSL_SPLITSCAN_AVX2
                            : TSL_SPLITSCAN_PLAIN;
    if ((isa == TSL_SPLITSCAN_AVX512 && !have_avx512()) ||
        (isa == TSL_SPLITSCAN_AVX2 && !have_avx2()))
        return tsl_err_set(err, TSL_EUSAGE, "this machine lacks AVX2 or AVX-512");
    s->ascii = ascii_of(pattern, (unsigned)isa - TSL_SPLITSCAN_PLAIN);
    s->has_masks = s->ascii != NULL;
    s->bmp = tsl_mem_alloc(0x10000, sizeof *s->bmp, "character classes", err);
    if (!s->bmp)
        return TSL_ENOMEM;
    for (uint32_t cp = 0; cp < 0x10000; cp++) {
        if (cp >= 0xd800 && cp < 0xe000)
            continue; /* no characters: no class */
        s->bmp[cp] = class_of(cp);
        if (odd && cp >= 0x80 && odd(cp))
            s->bmp[cp] |= ODD;
    }
    return 0;
}

void tsl_splitscan_fini(struct tsl_splitscan *s)
{
    tsl_mem_free(s->bmp);
    s->bmp = NULL;
}
