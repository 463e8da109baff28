#include "text/sentence.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { START, TEXT, MARKS, SPACE };

void tsl_sentence_init(struct tsl_sentence *s)
{
    memset(s, 0, sizeof *s);
}

/* ---- characters ---- */

enum kind { OTHER, DOT, BANG, WIDE, CLOSER, WHITE, NEWLINE };

static uint32_t bytes3(const uint8_t *p)
{
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

/* What stands at p, and in *len the bytes that it takes. */
static enum kind kind_at(const uint8_t *p, const uint8_t *end, size_t *len)
{
    *len = 1;
    switch (p[0]) {
    case '.': return DOT;
    case '!':
    case '?': return BANG;
    case '"':
    case '\'':
    case ')':
    case ']':
    case '}': return CLOSER;
    case '\n': return NEWLINE;
    case ' ':
    case '\t':
    case '\r':
    case '\v':
    case '\f': return WHITE;
    case 0xc2:
        *len = 2;
        if (end - p >= 2 && p[1] == 0xbb)
            return CLOSER; /* U+00BB */
        break;
    case 0xe2:
    case 0xe3:
    case 0xef:
        if (end - p < 3)
            break;
        *len = 3;
        switch (bytes3(p)) {
        case 0xe38082:                /* U+3002 */
        case 0xefbc81:                /* U+FF01 */
        case 0xefbc9f: return WIDE;   /* U+FF1F */
        case 0xe38080: return WHITE;  /* U+3000 */
        case 0xe28099:                /* U+2019 */
        case 0xe2809d:                /* U+201D */
        case 0xe280ba:                /* U+203A */
        case 0xe38089:                /* U+3009 */
        case 0xe3808b:                /* U+300B */
        case 0xe3808d:                /* U+300D */
        case 0xe3808f:                /* U+300F */
        case 0xe38091:                /* U+3011 */
        case 0xe38095:                /* U+3015 */
        case 0xefbc82:                /* U+FF02 */
        case 0xefbc87:                /* U+FF07 */
        case 0xefbc89:                /* U+FF09 */
        case 0xefbcbd: return CLOSER; /* U+FF3D */
        }
        break;
    }
    *len = 1;
    return OTHER;
}

/* The next byte that may end a sentence: . ! ? newline, or the first byte of a wide mark. */
static const uint8_t *find_mark(const uint8_t *p, const uint8_t *end)
{
#ifdef __SSE2__
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i a = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('.')),
                                 _mm_cmpeq_epi8(v, _mm_set1_epi8('!')));
        __m128i b = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('?')),
                                 _mm_cmpeq_epi8(v, _mm_set1_epi8('\n')));
        __m128i c = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8((char)0xe3)),
                                 _mm_cmpeq_epi8(v, _mm_set1_epi8((char)0xef)));
        unsigned hits = (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(a, b), c));
        if (hits)
            return p + __builtin_ctz(hits);
    }
#endif
    while (p < end && *p != '.' && *p != '!' && *p != '?' && *p != '\n' && *p != 0xe3 &&
           *p != 0xef)
        p++;
    return p;
}

/* ---- what stands before a mark ---- */

static bool letter(uint8_t c)
{
    return (uint8_t)((c | 0x20) - 'a') < 26;
}

/* before[0, n): the bytes in front of a dot, as far as they are known (8 suffice).  Is it
 * a dot that shortens a word? */
static bool shortens(const uint8_t *before, size_t n)
{
    static const char *const titles[] = { "Mr", "Mrs", "Ms", "Dr",  "Prof", "St",
                                          "Jr", "Sr",  "No", "Vol", "Fig",  "vs" };
    size_t k = 0;
    while (k < n && k < 5 && letter(before[n - 1 - k]))
        k++;
    if (k == 0 || k == 5)
        return false;
    uint8_t front = k < n ? before[n - 1 - k] : ' ';
    const uint8_t *word = before + n - k;
    if (front >= 0x80)
        return false;
    if (k == 1)
        return front == '.' || (word[0] < 'a' && front != '\'');
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        if (strlen(titles[i]) == k && memcmp(titles[i], word, k) == 0)
            return true;
    return false;
}

static void remember(struct tsl_sentence *s, const uint8_t *p, size_t n)
{
    if (n >= sizeof s->tail) {
        memcpy(s->tail, p + n - sizeof s->tail, sizeof s->tail);
        s->ntail = sizeof s->tail;
        return;
    }
    size_t keep = s->ntail < sizeof s->tail - n ? s->ntail : sizeof s->tail - n;
    memmove(s->tail, s->tail + s->ntail - keep, keep);
    if (n)
        memcpy(s->tail + keep, p, n);
    s->ntail = (uint8_t)(keep + n);
}

/* The first mark of a run stands at p[at]. */
static void first_mark(struct tsl_sentence *s, const uint8_t *p, size_t at,
                       enum kind kind)
{
    struct tsl_sentence before = *s;
    remember(&before, p, at);
    s->phase = MARKS;
    s->newline = false;
    s->wide = kind == WIDE;
    s->bang = kind == BANG;
    s->high = before.ntail && before.tail[before.ntail - 1] >= 0x80;
    s->shortened = kind == DOT && shortens(before.tail, before.ntail);
}

static size_t cut(struct tsl_sentence *s, size_t at)
{
    tsl_sentence_init(s);
    return at;
}

size_t tsl_sentence_next(struct tsl_sentence *s, const uint8_t *p, size_t n)
{
    const uint8_t *end = p + n;
    size_t at = 0, len;
    while (at < n) {
        if (s->phase == TEXT)
            at = (size_t)(find_mark(p + at, end) - p);
        if (at == n)
            break;
        enum kind kind = kind_at(p + at, end, &len);
        bool white = kind == WHITE || kind == NEWLINE;
        switch (s->phase) {
        case START:
            if (white)
                break;
            s->phase = TEXT;
            continue;
        case TEXT:
            if (kind == DOT || kind == BANG || kind == WIDE) {
                first_mark(s, p, at, kind);
            } else if (kind == NEWLINE) {
                s->phase = SPACE;
                s->newline = true;
            }
            break;
        case MARKS:
            if (white) {
                s->phase = SPACE;
                s->newline = kind == NEWLINE;
            } else if (kind == OTHER) {
                if (s->wide || (p[at] >= 0x80 && (s->bang || s->high)))
                    return cut(s, at);
                s->phase = TEXT;
                continue;
            } else {
                s->wide |= kind == WIDE;
                s->bang |= kind == BANG;
                s->shortened &= kind == CLOSER;
            }
            break;
        case SPACE:
            if (white) {
                s->newline |= kind == NEWLINE;
                break;
            }
            if (s->newline || s->wide ||
                !(s->shortened || (p[at] >= 'a' && p[at] <= 'z')))
                return cut(s, at);
            s->phase = TEXT;
            continue;
        }
        at += len;
    }
    remember(s, p, n);
    return n;
}
