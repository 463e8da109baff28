#include "text/bytebpe.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/endian.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/atext.h"
#include "text/longbpe.h"
#include "text/normform.h"
#include "text/uniprop.h"
#include "text/wordcache.h"

enum {
    FEW_PAIRS = 4, /* first two bytes of special tokens that are looked for together */
    QUEUE = 256,   /* pieces looked up together */
    TOKENS_SHORT = 16, /* room for the ids of a piece that has a key */
    WIDE_MIN = 0x800,  /* the first character of three bytes */
    WIDE_MAX = 0xffff,
    CROSS_MAX = 4095, /* classes of ends and of beginnings; 12 bits each in scan.bmp */
    LC_SHIFT = 8,
    RC_SHIFT = 20,
    CHUNK_BYTES = 4096,   /* first try at a stretch of text to be normalised */
    LONG_MIN_BYTES = 16,  /* pieces without a key */
    LONG_MAX_BYTES = 256, /* ... that are remembered all the same */
    LONG_SLOTS = 1 << 14,
    HUGE_BYTES = 8 << 10, /* pieces that are not merged as a whole, nor waited for */
    KEPT_BYTES = 32       /* of those, in front of what is not there yet */
};

/* ---- special tokens --------------------------------------------------------------------- */

struct specials {
    struct tsl_bytebpe_special *list; /* by their first two bytes, the longest first */
    size_t n, longest;
    uint8_t *bytes;
    uint64_t pairs[1024];      /* first two bytes, a bit each; of a single byte all 256 */
    uint8_t few[FEW_PAIRS][2]; /* the same, where they are few */
    size_t nfew;               /* 0: they are many */
};

static bool special_before(const struct tsl_bytebpe_special *a,
                           const struct tsl_bytebpe_special *b)
{
    return a->text.len > b->text.len;
}

static int specials_init(struct specials *s, const struct tsl_bytebpe_opts *o,
                         bool normalized, struct tsl_err *err)
{
    size_t bytes = 0, at = 0;
    for (size_t i = 0; i < o->nspecials; i++)
        if (o->specials[i].normalized == normalized && o->specials[i].text.len) {
            bytes += o->specials[i].text.len;
            s->n++;
        }
    if (!s->n)
        return 0;
    s->list = tsl_mem_alloc(s->n, sizeof *s->list, "special tokens", err);
    s->bytes = tsl_mem_alloc(bytes, 1, "special tokens", err);
    if (!s->list || !s->bytes)
        return TSL_ENOMEM;
    s->n = 0;
    for (size_t i = 0; i < o->nspecials; i++) {
        struct tsl_bytebpe_special x = o->specials[i];
        if (x.normalized != normalized || !x.text.len)
            continue;
        memcpy(s->bytes + at, x.text.data, x.text.len);
        x.text.data = s->bytes + at;
        at += x.text.len;
        if (x.text.len > s->longest)
            s->longest = x.text.len;
        size_t k = s->n++;
        for (; k && special_before(&x, &s->list[k - 1]); k--)
            s->list[k] = s->list[k - 1];
        s->list[k] = x;
        for (size_t second = 0; second < 256; second++) {
            size_t pair = x.text.data[0] | second << 8;
            if (x.text.len == 1 || second == x.text.data[1])
                s->pairs[pair / 64] |= (uint64_t)1 << pair % 64;
        }
    }
    for (size_t pair = 0; pair < 0x10000; pair++) {
        if (!(s->pairs[pair / 64] >> pair % 64 & 1))
            continue;
        if (s->nfew == FEW_PAIRS) {
            s->nfew = 0;
            break;
        }
        s->few[s->nfew][0] = (uint8_t)pair;
        s->few[s->nfew++][1] = (uint8_t)(pair >> 8);
    }
    return 0;
}

static void specials_fini(struct specials *s)
{
    tsl_mem_free(s->list);
    tsl_mem_free(s->bytes);
}

/* Bytes in front of p that no special token begins at; the rest of a text is looked at
 * byte by byte. */
static size_t skip_plain(const struct specials *s, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *from = p;
    for (; end - p > 1; p++) {
        size_t pair = p[0] | (size_t)p[1] << 8;
        if (s->pairs[pair / 64] >> pair % 64 & 1)
            break;
    }
    return (size_t)(p - from);
}

#if defined __x86_64__ && defined __GNUC__
#include <immintrin.h>

__attribute__((target("avx2,bmi"))) static size_t
skip_avx2(const struct specials *s, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *from = p;
    for (; end - p > 32; p += 32) {
        __m256i a = _mm256_loadu_si256((const void *)p);
        __m256i b = _mm256_loadu_si256((const void *)(p + 1));
        __m256i any = _mm256_setzero_si256();
        for (size_t i = 0; i < s->nfew; i++) {
            __m256i first = _mm256_set1_epi8((char)s->few[i][0]);
            __m256i second = _mm256_set1_epi8((char)s->few[i][1]);
            any = _mm256_or_si256(any, _mm256_and_si256(_mm256_cmpeq_epi8(a, first),
                                                        _mm256_cmpeq_epi8(b, second)));
        }
        uint32_t hits = (uint32_t)_mm256_movemask_epi8(any);
        if (hits)
            return (size_t)(p - from) + (unsigned)__builtin_ctz(hits);
    }
    return (size_t)(p - from) + skip_plain(s, p, end);
}

static size_t skip(const struct specials *s, const uint8_t *p, const uint8_t *end)
{
    if (s->nfew && __builtin_cpu_supports("avx2"))
        return skip_avx2(s, p, end);
    return skip_plain(s, p, end);
}
#else
static size_t skip(const struct specials *s, const uint8_t *p, const uint8_t *end)
{
    return skip_plain(s, p, end);
}
#endif

/* The first special token at or behind at, and where it begins; NULL: there is none. */
static const struct tsl_bytebpe_special *
specials_find(const struct specials *s, struct tsl_slice text, size_t at, size_t *where)
{
    const uint8_t *p = text.data + at, *end = text.data + text.len;
    for (; p < end; p++) {
        p += skip(s, p, end);
        for (size_t i = 0; i < s->n; i++) {
            struct tsl_slice t = s->list[i].text;
            if ((size_t)(end - p) >= t.len && memcmp(p, t.data, t.len) == 0) {
                *where = (size_t)(p - text.data);
                return &s->list[i];
            }
        }
    }
    return NULL;
}

/* ---- the model -------------------------------------------------------------------------- */

struct tsl_bytebpe_model {
    const struct tsl_vocab *vocab;
    struct tsl_bytebpecore *core;
    uint32_t *token_len; /* by id */
    uint32_t nids;
    bool whole, prefix_space, nfc, bytes;
    enum tsl_invalid invalid;
    struct specials raw, normalized;

    /* How text is split, and text that is normalised already; the same where nothing is. */
    struct tsl_splitscan scan, scan_normal;
    bool letters_alike; /* a run of letters may be taken up again anywhere inside */

    /* Safe cuts: scan.bmp has for each character the class of its end (RC_SHIFT) and of its
     * beginning (LC_SHIFT), by what parts of tokens they fit.  Bit (end, beginning) of
     * cross: some token may reach from one into the other. */
    bool cuts;
    uint64_t *cross;
    size_t cross_stride;       /* words a row */
    struct tsl_wordslot *wide; /* of each character of three bytes, from WIDE_MIN */
};

/* The ids of a piece, room for piece.len of them; or TSL_ENOMEM. */
static int64_t merge_piece(const struct tsl_bytebpe_model *m,
                           struct tsl_bytebpe_scratch *s, struct tsl_slice piece,
                           uint32_t *out, struct tsl_err *err)
{
    if (m->whole && piece.len <= tsl_vocab_longest(m->vocab)) {
        int64_t id = tsl_vocab_find(m->vocab, piece);
        if (id >= 0) {
            out[0] = (uint32_t)id;
            return 1;
        }
    }
    return tsl_bytebpecore_merge(m->core, s, piece, out, err);
}

static int wide_init(struct tsl_bytebpe_model *m, struct tsl_err *err)
{
    m->wide = tsl_mem_alloc(WIDE_MAX + 1 - WIDE_MIN, sizeof *m->wide, "characters", err);
    if (!m->wide)
        return TSL_ENOMEM;
    for (uint32_t cp = WIDE_MIN; cp <= WIDE_MAX; cp++) {
        uint8_t bytes[TSL_WORDKEY_MAX + 1] = { 0 };
        struct tsl_wordslot *w = &m->wide[cp - WIDE_MIN];
        if (cp >= 0xd800 && cp < 0xe000)
            continue; /* a key of zeros is found by nobody */
        size_t len = tsl_utf8_encode(bytes, cp);
        int64_t n = merge_piece(m, NULL, (struct tsl_slice){ bytes, len }, w->ids, err);
        if (n < 0)
            return (int)n;
        w->key = tsl_wordkey_make(bytes, len);
        w->n = (uint16_t)n;
    }
    return 0;
}

/* ---- safe cuts -------------------------------------------------------------------------- */

/* The parts of characters at a boundary inside a token: the end of the one before, the
 * beginning of the one after, as far as the token has them.  As numbers: up to 3 bytes, the
 * count on top. */
static uint32_t part_of(const uint8_t *p, size_t n)
{
    uint32_t x = (uint32_t)n << 24;
    for (size_t i = 0; i < n; i++)
        x |= (uint32_t)p[i] << 8 * i;
    return x;
}

struct boundary {
    uint32_t before, after;
};

struct boundaries {
    struct boundary *list;
    size_t n, cap;
};

/* A small map from part, or triple of parts, to a number from 1 on. */
struct numbering {
    uint64_t *keys;
    uint32_t *values;
    size_t mask;
    uint32_t n;
};

static int numbering_init(struct numbering *t, size_t cap, struct tsl_err *err)
{
    size_t n = 64;
    while (n < 2 * cap)
        n *= 2;
    t->keys = tsl_mem_alloc(n, sizeof *t->keys, "safe cuts", err);
    t->values = tsl_mem_alloc(n, sizeof *t->values, "safe cuts", err);
    t->mask = n - 1;
    return t->keys && t->values ? 0 : TSL_ENOMEM;
}

static void numbering_fini(struct numbering *t)
{
    tsl_mem_free(t->keys);
    tsl_mem_free(t->values);
}

/* key is not 0. */
static uint32_t number_of(struct numbering *t, uint64_t key, bool add)
{
    size_t i = (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 20) & t->mask;
    while (t->keys[i] && t->keys[i] != key)
        i = (i + 1) & t->mask;
    if (!t->keys[i] && add) {
        t->keys[i] = key;
        t->values[i] = ++t->n;
    }
    return t->keys[i] ? t->values[i] : 0;
}

/* Boundaries between characters of three bytes inside of a token.  A token that cannot be
 * part of well-formed text there fits nothing; taking it along costs nothing. */
static int boundaries_add(struct boundaries *b, struct tsl_slice t, struct tsl_err *err)
{
    for (size_t i = 1; i < t.len; i++) {
        size_t before = 1, after = t.len - i < 3 ? t.len - i : 3;
        if ((t.data[i] & 0xf0) != 0xe0 || (t.data[i - 1] & 0xc0) != 0x80)
            continue;
        while (before < 3 && before < i && (t.data[i - before] & 0xc0) == 0x80)
            before++;
        int rc =
            tsl_mem_grow(&b->list, &b->cap, b->n + 1, sizeof *b->list, "safe cuts", err);
        if (rc < 0)
            return rc;
        b->list[b->n++] = (struct boundary){ part_of(t.data + i - before, before),
                                             part_of(t.data + i, after) };
    }
    return 0;
}

/* Members of the classes of one side: for a part, the classes of characters that fit. */
struct side {
    struct numbering parts, classes;
    uint16_t (*members)[3]; /* by class: the parts that its characters fit */
    uint32_t nclasses;
};

static int side_init(struct side *s, size_t nparts, struct tsl_err *err)
{
    int rc = numbering_init(&s->parts, nparts, err);
    if (rc == 0)
        rc = numbering_init(&s->classes, WIDE_MAX + 1, err);
    if (rc < 0)
        return rc;
    s->members = tsl_mem_alloc(WIDE_MAX + 2, sizeof *s->members, "safe cuts", err);
    return s->members ? 0 : TSL_ENOMEM;
}

static void side_fini(struct side *s)
{
    numbering_fini(&s->parts);
    numbering_fini(&s->classes);
    tsl_mem_free(s->members);
}

/* The class of a character's end or beginning; 0: no token has a part of it there. */
static uint32_t side_class(struct side *s, const uint8_t bytes[3], bool end)
{
    uint64_t key = 0;
    uint16_t parts[3];
    for (size_t n = 1; n <= 3; n++) {
        uint32_t part =
            number_of(&s->parts, part_of(end ? bytes + 3 - n : bytes, n), false);
        parts[n - 1] = (uint16_t)part;
        key = key << 16 | part;
    }
    if (!key)
        return 0;
    uint32_t class = number_of(&s->classes, key, true);
    memcpy(s->members[class], parts, sizeof parts);
    return class;
}

/* More classes than have room share one: then more is taken as crossed than is. */
static uint32_t folded(uint32_t class)
{
    return class <= CROSS_MAX ? class : 1 + class % CROSS_MAX;
}

/* By part: the classes that have it, as lists in one array. */
static int side_lists(const struct side *s, uint32_t **first, uint32_t **list,
                      struct tsl_err *err)
{
    *first = tsl_mem_alloc(s->parts.n + 3, sizeof **first, "safe cuts", err);
    *list = tsl_mem_alloc(3 * (size_t)s->classes.n + 1, sizeof **list, "safe cuts", err);
    if (!*first || !*list)
        return TSL_ENOMEM;
    for (uint32_t c = 1; c <= s->classes.n; c++)
        for (size_t k = 0; k < 3; k++)
            if (s->members[c][k])
                (*first)[s->members[c][k] + 1]++;
    for (uint32_t p = 1; p <= s->parts.n + 2; p++)
        (*first)[p] += (*first)[p - 1];
    for (uint32_t c = s->classes.n; c >= 1; c--)
        for (size_t k = 0; k < 3; k++)
            if (s->members[c][k])
                (*list)[--(*first)[s->members[c][k] + 1]] = c;
    return 0;
}

static int cuts_init(struct tsl_bytebpe_model *m, struct tsl_err *err)
{
    struct boundaries b = { 0 };
    struct side ends = { 0 }, begins = { 0 };
    uint32_t *ends_first = NULL, *ends_list = NULL, *begins_first = NULL,
             *begins_list = NULL;
    int rc = 0;
    for (uint32_t id = 0; id < m->nids && rc == 0; id++)
        rc = boundaries_add(&b, tsl_vocab_token(m->vocab, id), err);
    if (rc == 0)
        rc = side_init(&ends, b.n, err);
    if (rc == 0)
        rc = side_init(&begins, b.n, err);
    if (rc < 0)
        goto out;
    for (size_t i = 0; i < b.n; i++) {
        (void)number_of(&ends.parts, b.list[i].before, true);
        (void)number_of(&begins.parts, b.list[i].after, true);
    }
    if (ends.parts.n > UINT16_MAX || begins.parts.n > UINT16_MAX)
        goto out; /* no such vocabulary is known; it goes without cuts */
    for (uint32_t cp = WIDE_MIN; cp <= WIDE_MAX; cp++) {
        uint8_t bytes[4];
        (void)tsl_utf8_encode(bytes, cp);
        uint32_t bits = folded(side_class(&begins, bytes, false)) << LC_SHIFT |
                        folded(side_class(&ends, bytes, true)) << RC_SHIFT;
        m->scan.bmp[cp] |= bits;
        if (m->scan_normal.bmp != m->scan.bmp)
            m->scan_normal.bmp[cp] |= bits;
    }
    uint32_t nends = ends.classes.n < CROSS_MAX ? ends.classes.n : CROSS_MAX;
    uint32_t nbegins = begins.classes.n < CROSS_MAX ? begins.classes.n : CROSS_MAX;
    m->cross_stride = nbegins / 64 + 1;
    m->cross =
        tsl_mem_alloc((nends + 1) * m->cross_stride, sizeof *m->cross, "safe cuts", err);
    rc = m->cross ? side_lists(&ends, &ends_first, &ends_list, err) : TSL_ENOMEM;
    if (rc == 0)
        rc = side_lists(&begins, &begins_first, &begins_list, err);
    if (rc < 0)
        goto out;
    for (size_t i = 0; i < b.n; i++) {
        uint32_t e = number_of(&ends.parts, b.list[i].before, false);
        uint32_t s = number_of(&begins.parts, b.list[i].after, false);
        for (uint32_t j = ends_first[e + 1]; j < ends_first[e + 2]; j++)
            for (uint32_t k = begins_first[s + 1]; k < begins_first[s + 2]; k++) {
                uint32_t bit = folded(begins_list[k]);
                m->cross[folded(ends_list[j]) * m->cross_stride + bit / 64] |=
                    (uint64_t)1 << bit % 64;
            }
    }
    m->cuts = true;
out:
    tsl_mem_free(b.list);
    tsl_mem_free(ends_first);
    tsl_mem_free(ends_list);
    tsl_mem_free(begins_first);
    tsl_mem_free(begins_list);
    side_fini(&ends);
    side_fini(&begins);
    return rc;
}

static inline bool crosses(const uint64_t *cross, size_t stride, uint32_t before,
                           uint32_t after)
{
    uint32_t row = before >> RC_SHIFT, bit = after >> LC_SHIFT & CROSS_MAX;
    return cross[row * stride + bit / 64] >> bit % 64 & 1;
}

/* ---- making a model --------------------------------------------------------------------- */

/* Characters that NFC may change, or move, or join to the one before; of those in the
 * first plane only the last two. */
static bool nfc_odd(uint32_t cp)
{
    uint32_t odd = TSL_UNI_M | TSL_UNI_CLASS;
    if ((cp >= 0x1161 && cp <= 0x1175) || (cp >= 0x11a8 && cp <= 0x11c2))
        return true; /* Jamo that join */
    if (cp >= 0x10000)
        odd |= TSL_UNI_FALLS;
    return (tsl_uniprop(cp) & odd) != 0;
}

/* Marks those of the first plane that NFC changes: it is asked about all at once, a line
 * each. */
static int nfc_mark_changed(struct tsl_splitscan *scan, struct tsl_err *err)
{
    struct tsl_atext each, normal;
    size_t at = 0;
    int rc = 0;
    tsl_atext_init(&each);
    tsl_atext_init(&normal);
    for (int pass = 0; pass < 2 && rc == 0; pass++) {
        for (uint32_t cp = 0x80; cp < 0x10000 && rc == 0; cp++) {
            uint8_t line[5];
            if (!(tsl_uniprop(cp) & TSL_UNI_FALLS) || (cp >= 0xac00 && cp <= 0xd7a3))
                continue;
            size_t n = tsl_utf8_encode(line, cp);
            line[n++] = '\n';
            if (pass == 0) {
                rc = tsl_atext_add(&each, line, n, 0, 0, err);
                continue;
            }
            const uint8_t *end = memchr(normal.bytes + at, '\n', normal.len - at);
            size_t len = (size_t)(end - normal.bytes) + 1 - at;
            if (len != n || memcmp(normal.bytes + at, line, n) != 0)
                scan->bmp[cp] |= TSL_SPLITSCAN_ODD;
            at += len;
        }
        if (pass == 0 && rc == 0)
            rc = tsl_normform_apply(TSL_NFC, &each, &normal, err);
    }
    tsl_atext_fini(&each);
    tsl_atext_fini(&normal);
    return rc;
}

static int model_init(struct tsl_bytebpe_model *m, const struct tsl_bytebpe_opts *o,
                      struct tsl_err *err)
{
    bool keep = o->invalid == TSL_INVALID_BYTES, proper = false;
    if (keep && o->nfc)
        return tsl_err_set(err, TSL_EUSAGE,
                           "ill-formed bytes cannot be kept where text is normalised");
    for (unsigned b = 0; keep && b < 256; b++) {
        uint8_t byte = (uint8_t)b;
        if (tsl_vocab_find(o->vocab, (struct tsl_slice){ &byte, 1 }) < 0)
            return tsl_err_set(err, TSL_EUSAGE,
                               "ill-formed bytes cannot be kept: the vocabulary has no "
                               "token for the byte 0x%02x alone",
                               b);
    }
    m->core = tsl_bytebpecore_create(o->vocab, o->merges, o->nmerges,
                                     o->whole ? &proper : NULL, err);
    if (!m->core)
        return err ? err->code : TSL_ENOMEM;
    int rc = tsl_splitscan_init(&m->scan, o->pattern, keep, o->nfc ? nfc_odd : NULL,
                                o->isa, err);
    m->scan_normal = m->scan;
    if (rc == 0 && o->nfc)
        rc = nfc_mark_changed(&m->scan, err);
    if (rc == 0 && o->nfc) {
        m->scan_normal.bmp = NULL;
        rc = tsl_splitscan_init(&m->scan_normal, o->pattern, keep, NULL, o->isa, err);
    }
    if (rc == 0)
        rc = specials_init(&m->raw, o, false, err);
    if (rc == 0)
        rc = specials_init(&m->normalized, o, true, err);
    if (rc < 0)
        return rc;
    m->token_len =
        tsl_mem_alloc(m->nids ? m->nids : 1, sizeof *m->token_len, "tokens", err);
    if (!m->token_len)
        return TSL_ENOMEM;
    for (uint32_t id = 0; id < m->nids; id++)
        m->token_len[id] = (uint32_t)tsl_vocab_token(m->vocab, id).len;
    m->letters_alike =
        o->pattern == TSL_SPLITPAT_GPT2 || o->pattern == TSL_SPLITPAT_CL100K ||
        o->pattern == TSL_SPLITPAT_CL100K_T || o->pattern == TSL_SPLITPAT_QWEN2;
    rc = wide_init(m, err);
    /* A part of a piece is looked up like a whole one: a token that its own bytes do not
     * come down to would be found there, and should not be. */
    if (rc == 0 && (!o->whole || proper))
        rc = cuts_init(m, err);
    return rc;
}

struct tsl_bytebpe_model *tsl_bytebpe_model_create(const struct tsl_bytebpe_opts *o,
                                                   struct tsl_err *err)
{
    struct tsl_err none = { 0 };
    struct tsl_bytebpe_model *m = tsl_mem_alloc(1, sizeof *m, "a tokenizer", err);
    if (!m)
        return NULL;
    m->vocab = o->vocab;
    m->nids = tsl_vocab_size(o->vocab);
    m->whole = o->whole;
    m->prefix_space = o->prefix_space;
    m->nfc = o->nfc;
    m->bytes = o->bytes;
    m->invalid = o->invalid;
    if (model_init(m, o, err ? err : &none) < 0) {
        tsl_bytebpe_model_destroy(m);
        return NULL;
    }
    return m;
}

void tsl_bytebpe_model_destroy(struct tsl_bytebpe_model *m)
{
    if (!m)
        return;
    if (m->scan_normal.bmp != m->scan.bmp)
        tsl_splitscan_fini(&m->scan_normal);
    tsl_splitscan_fini(&m->scan);
    specials_fini(&m->raw);
    specials_fini(&m->normalized);
    tsl_bytebpecore_destroy(m->core);
    tsl_mem_free(m->token_len);
    tsl_mem_free(m->cross);
    tsl_mem_free(m->wide);
    tsl_mem_free(m);
}

int tsl_bytebpe_decode(const struct tsl_bytebpe_model *m, const uint32_t *ids, size_t n,
                       uint8_t **text, size_t *len, size_t *cap, struct tsl_err *err)
{
    const struct specials *special[] = { &m->raw, &m->normalized };
    for (size_t i = 0; i < n; i++) {
        struct tsl_slice t = tsl_vocab_token(m->vocab, ids[i]);
        for (size_t k = 0; k < 2 && !t.data; k++)
            for (size_t j = 0; j < special[k]->n; j++)
                if (special[k]->list[j].id == ids[i])
                    t = special[k]->list[j].text;
        if (!t.data)
            return tsl_err_set(err, TSL_EFORMAT,
                               "id %" PRIu32 " at place %zu stands for no token (there "
                               "are %" PRIu32 ")",
                               ids[i], i, m->nids);
        int rc = tsl_mem_grow(text, cap, *len + t.len, 1, "text", err);
        if (rc < 0)
            return rc;
        if (t.len)
            memcpy(*text + *len, t.data, t.len);
        *len += t.len;
    }
    return 0;
}

/* ---- the coder -------------------------------------------------------------------------- */

/* A piece on its way: where it should be in a cache, and the key that it has there. */
struct item {
    struct tsl_wordkey key;
    const struct tsl_wordslot *slot;
    const uint8_t *at;
    uint32_t len;
    uint32_t word; /* 1: it begins a word, not just a part of one */
};

/* Ends of rows between the items of the queue. */
struct rowend {
    size_t nitems;
    const uint8_t *base;
    size_t row;
};

/* A longer piece: its ids and bytes are in longs_data. */
struct longslot {
    uint64_t hash;
    uint32_t at;
    uint16_t len, n;
};

struct coder {
    const struct tsl_bytebpe_model *m;
    struct tsl_wordcache cache;
    struct tsl_bytebpe_scratch scratch;
    struct longslot *longs;
    uint32_t *longs_data;
    size_t longs_n, longs_cap;

    struct item queue[QUEUE];
    size_t nqueue;
    struct rowend rowends[QUEUE];
    size_t nrowends, *ends;
    uint32_t pieces[QUEUE + TSL_SPLITSCAN_WINDOW];

    const uint8_t *base;         /* spans count from here */
    const uint8_t *readable;     /* the end of what may be read */
    const struct tsl_atext *map; /* base is its bytes, their sources count from ... */
    uint32_t map_at;             /* ... this place of the text */
    bool mid_word;               /* the text goes on inside of a piece */
    bool fresh; /* nothing stands before the text: a blank is put there */
    struct tsl_atext repaired, normal;
    uint64_t invalid;

    /* A piece of HUGE_BYTES or more; made when the first one comes. */
    struct tsl_longbpe *huge;
    struct tsl_trie trie;  /* huge's: all tokens */
    bool in_huge;          /* the text goes on inside of one: huge has what came before */
    uint32_t *few_ids;     /* of two tokens at most */
    struct tsl_tokens *to; /* where huge puts its tokens, ... */
    uint32_t word;         /* ... the first of a word if 1, ... */
    const uint8_t *huge_base; /* ... whose spans count from here */
};

/* The key that pieces without one have; no slot has it. */
static const struct tsl_wordslot never = { .key = { 1, 0 } };

static void coder_destroy(void *coder)
{
    struct coder *c = coder;
    if (!c)
        return;
    tsl_wordcache_fini(&c->cache);
    tsl_bytebpe_scratch_fini(&c->scratch);
    tsl_mem_free(c->longs);
    tsl_mem_free(c->longs_data);
    tsl_atext_fini(&c->repaired);
    tsl_atext_fini(&c->normal);
    tsl_longbpe_destroy(c->huge);
    tsl_trie_fini(&c->trie);
    tsl_mem_free(c->few_ids);
    tsl_mem_free(c);
}

static void *coder_create(const void *model, size_t memory, struct tsl_err *err)
{
    struct coder *c = tsl_mem_alloc(1, sizeof *c, "a coder", err);
    if (!c)
        return NULL;
    c->m = model;
    size_t longs_bytes = LONG_SLOTS * sizeof *c->longs;
    c->longs_cap = memory / 16 / sizeof *c->longs_data;
    if (c->longs_cap > (1 << 20))
        c->longs_cap = 1 << 20;
    c->longs = tsl_mem_alloc(LONG_SLOTS, sizeof *c->longs, "a word cache", err);
    c->longs_data =
        tsl_mem_alloc(c->longs_cap, sizeof *c->longs_data, "a word cache", err);
    if (!c->longs || !c->longs_data ||
        tsl_wordcache_init(&c->cache, memory / 2, err) < 0) {
        coder_destroy(c);
        return NULL;
    }
    size_t taken =
        c->cache.pages_bytes + longs_bytes + c->longs_cap * sizeof(uint32_t) + sizeof *c;
    c->scratch.max_bytes = memory > taken ? memory - taken : 0;
    return c;
}

static void counts(const void *coder, uint64_t *invalid, uint64_t *unknown)
{
    const struct coder *c = coder;
    *invalid += c->invalid;
    (void)unknown; /* every byte is a token */
}

/* ---- the second half: from the queue to ids --------------------------------------------- */

static int64_t merge_huge(void *ctx, const uint8_t *p, size_t n, size_t *first,
                          struct tsl_err *err)
{
    struct coder *c = ctx;
    int64_t k = tsl_bytebpecore_merge(c->m->core, &c->scratch, (struct tsl_slice){ p, n },
                                      c->few_ids, err);
    if (k > 0)
        *first = c->m->token_len[c->few_ids[0]];
    return k;
}

static void put_spans(const struct coder *c, const struct item *it, const uint8_t *base,
                      struct tsl_tokens *out, size_t n);

static int put_huge(void *ctx, const uint8_t *p, const struct tsl_longbpe_token *tokens,
                    size_t n, struct tsl_err *err)
{
    struct coder *c = ctx;
    struct tsl_tokens *out = c->to;
    int rc = tsl_tokens_reserve(out, n, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n; i++)
        out->ids[out->n + i] = tokens[i].id;
    struct item it = { .at = p, .word = c->word };
    for (size_t i = 0; i < n; i++)
        it.len += tokens[i].len;
    if (out->want)
        put_spans(c, &it, c->huge_base, out, n);
    c->word = 0;
    out->n += n;
    return 0;
}

static int huge_init(struct coder *c, struct tsl_err *err)
{
    const struct tsl_vocab *v = c->m->vocab;
    size_t n = 0, longest = tsl_vocab_longest(v);
    if (c->huge)
        return 0;
    struct tsl_slice *keys = tsl_mem_alloc(c->m->nids, sizeof *keys, "a long word", err);
    uint32_t *ids = tsl_mem_alloc(c->m->nids, sizeof *ids, "a long word", err);
    if (!c->few_ids)
        c->few_ids = tsl_mem_alloc(2 * longest, sizeof *c->few_ids, "a long word", err);
    int rc = keys && ids && c->few_ids ? 0 : TSL_ENOMEM;
    for (uint32_t id = 0; rc == 0 && id < c->m->nids; id++) {
        struct tsl_slice t = tsl_vocab_token(v, id);
        if (t.len && tsl_vocab_find(v, t) == (int64_t)id) {
            keys[n] = t;
            ids[n++] = id;
        }
    }
    if (rc == 0 && !c->trie.units)
        rc = tsl_trie_build(&c->trie, keys, ids, n, err);
    tsl_mem_free(keys);
    tsl_mem_free(ids);
    struct tsl_longbpe_opts o = { .trie = &c->trie,
                                  .longest = longest,
                                  .merge = merge_huge,
                                  .put = put_huge,
                                  .ctx = c };
    if (rc == 0)
        c->huge = tsl_longbpe_create(&o, err);
    return rc == 0 && !c->huge ? TSL_ENOMEM : rc;
}

/* Bytes of a huge piece; if open, as far as their tokens are certain. */
static int run_huge(struct coder *c, const uint8_t *p, size_t n, bool begins, bool open,
                    uint32_t word, const uint8_t *base, size_t *used,
                    struct tsl_tokens *out, struct tsl_err *err)
{
    int rc = huge_init(c, err);
    if (rc < 0)
        return rc;
    if (begins)
        tsl_longbpe_begin(c->huge);
    c->to = out;
    c->word = word;
    c->huge_base = base;
    return tsl_longbpe_run(c->huge, p, n, open, used, err);
}

static int64_t resolve_long(struct coder *c, const struct item *it,
                            struct tsl_tokens *out, struct tsl_err *err)
{
    size_t len = it->len;
    int64_t n;
    int rc = tsl_tokens_reserve(out, len + (QUEUE + 1) * TOKENS_SHORT, err);
    if (rc < 0)
        return rc;
    uint32_t *to = out->ids + out->n;
    struct tsl_slice piece = { it->at, len };
    if (len > LONG_MAX_BYTES)
        return merge_piece(c->m, &c->scratch, piece, to, err);
    uint64_t hash = tsl_hash64(it->at, len, 0);
    struct longslot *s = &c->longs[hash % LONG_SLOTS];
    if (s->hash == hash && s->len == len) {
        const uint32_t *data = c->longs_data + s->at;
        if (memcmp(data + s->n, it->at, len) == 0) {
            memcpy(to, data, s->n * sizeof *to);
            return s->n;
        }
    }
    n = merge_piece(c->m, &c->scratch, piece, to, err);
    size_t need = n < 0 ? 0 : (size_t)n + (len + 3) / 4;
    if (n < 0 || need > c->longs_cap)
        return n;
    if (need > c->longs_cap - c->longs_n) {
        memset(c->longs, 0, LONG_SLOTS * sizeof *c->longs);
        c->longs_n = 0;
    }
    uint32_t *data = c->longs_data + c->longs_n;
    memcpy(data, to, (size_t)n * sizeof *to);
    memcpy(data + n, it->at, len);
    *s = (struct longslot){ hash, (uint32_t)c->longs_n, (uint16_t)len, (uint16_t)n };
    c->longs_n += need;
    return n;
}

/* Writes the ids of a piece that is not in its first place behind out's, and returns how
 * many. */
static __attribute__((noinline)) int64_t resolve(struct coder *c, const struct item *it,
                                                 struct tsl_tokens *out,
                                                 struct tsl_err *err)
{
    uint32_t *to = out->ids + out->n;
    if (it->len >= LONG_MIN_BYTES)
        return resolve_long(c, it, out, err);
    uint64_t hash = tsl_wordkey_hash(it->key);
    const struct tsl_wordslot *s = tsl_wordcache_find(&c->cache, it->key, hash);
    if (s) {
        memcpy(to, tsl_wordcache_ids(&c->cache, s), s->n * sizeof *to);
        return s->n;
    }
    int64_t n =
        merge_piece(c->m, &c->scratch, (struct tsl_slice){ it->at, it->len }, to, err);
    if (n >= 0)
        tsl_wordcache_put(&c->cache, it->key, hash, to, (size_t)n, 0);
    return n;
}

static inline bool found(const struct item *it)
{
    const struct tsl_wordslot *s = it->slot;
    uint64_t differs = (s->key.lo ^ it->key.lo) | (s->key.hi ^ it->key.hi);
    return (differs | (s->n & ~(uint64_t)TSL_WORDSLOT_INLINE)) == 0; /* n: 0 to 3 */
}

/* The first byte of the character of p[0, n) that byte i belongs to; i itself where it
 * belongs to none. */
static size_t char_begin(const uint8_t *p, size_t n, size_t i)
{
    size_t back = 0;
    uint32_t cp;
    while (back < i && back < 3 && (p[i - back] & 0xc0) == 0x80)
        back++;
    const uint8_t *from = p + i - back;
    bool is = back && tsl_utf8_decode(from, p + n, &cp) > back && cp != TSL_UTF8_BAD;
    return is ? i - back : i;
}

/* Widens [*begin, *end) of p[0, n) to whole characters, as the peer has it. */
static void widen(const uint8_t *p, size_t n, size_t *begin, size_t *end)
{
    uint32_t cp;
    *begin = char_begin(p, n, *begin);
    if (*end < n && char_begin(p, n, *end) < *end) {
        size_t from = char_begin(p, n, *end);
        *end = from + tsl_utf8_decode(p + from, p + n, &cp);
    }
}

/* Where bytes [*begin, *end) of the mapped text are from; in a character that is as it
 * was, byte for byte where spans are of bytes. */
static void source_of(const struct coder *c, uint32_t *begin, uint32_t *end)
{
    const struct tsl_atext *t = c->map;
    size_t b = *begin, e = *end, first, len;
    bool bytes = c->m->bytes && e > b;
    *begin = c->map_at + t->begin[b];
    *end = c->map_at + t->end[e - 1];
    first = bytes ? char_begin(t->bytes, t->len, b) : b;
    if (first < b) {
        len = tsl_utf8_decode(t->bytes + first, t->bytes + t->len, &(uint32_t){ 0 });
        if (t->end[b] - t->begin[b] == len)
            *begin += (uint32_t)(b - first);
    }
    first = bytes ? char_begin(t->bytes, t->len, e - 1) : e - 1;
    len = tsl_utf8_decode(t->bytes + first, t->bytes + t->len, &(uint32_t){ 0 });
    if (bytes && t->end[e - 1] - t->begin[e - 1] == len)
        *end -= (uint32_t)(first + len - e);
}

/* Spans and marks of one piece's n tokens, whose ids are there. */
static void put_spans(const struct coder *c, const struct item *it, const uint8_t *base,
                      struct tsl_tokens *out, size_t n)
{
    uint32_t first = (uint32_t)(it->at - base);
    size_t at = 0;
    for (size_t i = out->n; i < out->n + n; i++) {
        size_t begin = at, end = at + c->m->token_len[out->ids[i]];
        at = end;
        if (out->want & TSL_WANT_SPANS) {
            if (!c->map && !c->m->bytes)
                widen(it->at, it->len, &begin, &end);
            out->begin[i] = first + (uint32_t)begin;
            out->end[i] = first + (uint32_t)end;
            if (c->map)
                source_of(c, &out->begin[i], &out->end[i]);
        }
        if (out->want & TSL_WANT_MARKS)
            out->marks[i] = it->word && i == out->n ? TSL_TOKEN_WORD_START : 0;
    }
}

static int emit_huge(struct coder *c, const struct item *it, const uint8_t *base,
                     struct tsl_tokens *out, struct tsl_err *err)
{
    size_t used;
    int rc = run_huge(c, it->at, it->len, true, false, it->word, base, &used, out, err);
    return rc < 0 ? rc : tsl_tokens_reserve(out, (QUEUE + 1) * TOKENS_SHORT, err);
}

static int emit(struct coder *c, size_t from, size_t to, const uint8_t *base,
                struct tsl_tokens *out, struct tsl_err *err)
{
    int rc = tsl_tokens_reserve(out, (QUEUE + 1) * TOKENS_SHORT, err);
    if (rc < 0)
        return rc;
    if (out->want) {
        for (size_t i = from; i < to; i++) {
            const struct item *it = &c->queue[i];
            int64_t n = it->slot->n;
            if (TSL_UNLIKELY(it->len >= HUGE_BYTES)) {
                rc = emit_huge(c, it, base, out, err);
                if (rc < 0)
                    return rc;
                continue;
            }
            if (found(it))
                memcpy(out->ids + out->n, it->slot->ids, sizeof it->slot->ids);
            else
                n = resolve(c, it, out, err);
            if (n < 0)
                return (int)n;
            put_spans(c, it, base, out, (size_t)n);
            out->n += (size_t)n;
        }
        return 0;
    }
    uint32_t *o = out->ids + out->n;
    for (size_t i = from; i < to; i++) {
        const struct item *it = &c->queue[i];
        if (TSL_LIKELY(found(it))) {
            /* All three and what is behind them: there is room. */
            memcpy(o, (const uint8_t *)it->slot + offsetof(struct tsl_wordslot, ids), 16);
            o += it->slot->n;
            continue;
        }
        out->n = (size_t)(o - out->ids);
        if (TSL_UNLIKELY(it->len >= HUGE_BYTES)) {
            rc = emit_huge(c, it, base, out, err);
            if (rc < 0)
                return rc;
        } else {
            int64_t n = resolve(c, it, out, err);
            if (n < 0)
                return (int)n;
            out->n += (size_t)n;
        }
        o = out->ids + out->n;
    }
    out->n = (size_t)(o - out->ids);
    return 0;
}

static int flush(struct coder *c, struct tsl_tokens *out, struct tsl_err *err)
{
    size_t done = 0;
    int rc = 0;
    for (size_t i = 0; i < c->nrowends && rc == 0; i++) {
        const struct rowend *e = &c->rowends[i];
        rc = emit(c, done, e->nitems, e->base, out, err);
        done = e->nitems;
        c->ends[e->row] = out->n;
    }
    if (rc == 0)
        rc = emit(c, done, c->nqueue, c->base, out, err);
    c->nqueue = 0;
    c->nrowends = 0;
    return rc;
}

/* ---- the first half: from text to the queue --------------------------------------------- */

/* The four bytes at p, in the order of memory from the lowest; of the last ones of what is
 * readable only those that are there. */
static inline uint32_t four_bytes(const uint8_t *p, const uint8_t *readable)
{
    uint32_t x;
    if (TSL_LIKELY(readable - p >= 4)) {
        memcpy(&x, p, sizeof x);
        return TSL_LE32(x);
    }
    x = 0;
    for (unsigned i = 0; p + i < readable; i++)
        x |= (uint32_t)p[i] << 8 * i;
    return x;
}

/* A character of three bytes, if there is one: its classes, or 0. */
static inline uint32_t wide_class(const struct tsl_splitscan *scan, uint32_t x,
                                  uint32_t *cp)
{
    *cp = (x & 0xf) << 12 | (x >> 2 & 0xfc0) | (x >> 16 & 0x3f);
    return (x & 0xc0c0f0) == 0x8080e0 && *cp >= WIDE_MIN ? scan->bmp[*cp] : 0;
}

/* What putting pieces into the queue needs, held in registers: stores to the queue would
 * otherwise have it all loaded anew. */
struct putter {
    struct item *it; /* the next free one */
    const struct tsl_wordslot *slots, *wide;
    uint64_t mask;
    const uint8_t *readable;
};

static inline struct putter putter_of(struct coder *c)
{
    return (struct putter){ c->queue + c->nqueue, c->cache.slots, c->m->wide,
                            c->cache.mask, c->readable };
}

static inline void putter_done(struct coder *c, const struct putter *q)
{
    c->nqueue = (size_t)(q->it - c->queue);
}

static inline void put_any(struct putter *q, const uint8_t *p, size_t len, uint32_t word)
{
    struct item *it = q->it++;
    it->at = p;
    it->len = (uint32_t)len;
    it->word = word;
    if (TSL_UNLIKELY(len >= LONG_MIN_BYTES)) {
        it->key = (struct tsl_wordkey){ 0 };
        it->slot = &never;
        return;
    }
    struct tsl_wordkey key;
    if (TSL_LIKELY(q->readable - p >= 16)) {
        key = tsl_wordkey_make(p, len);
    } else {
        uint8_t copy[16] = { 0 };
        memcpy(copy, p, len);
        key = tsl_wordkey_make(copy, len);
    }
    it->key = key;
    it->slot = &q->slots[2 * (tsl_wordkey_hash(key) & q->mask)];
    TSL_PREFETCH(it->slot);
}

/* A part that ends with the wide character cp, of the bytes x; room is there. */
static inline void put_wide(struct putter *q, const uint8_t *p, size_t len, uint32_t x,
                            uint32_t cp, uint32_t word)
{
    if (TSL_UNLIKELY(len != 3)) {
        put_any(q, p, len, word);
        return;
    }
    struct item *it = q->it++;
    it->slot = &q->wide[cp - WIDE_MIN];
    TSL_PREFETCH(it->slot);
    it->key.lo = TSL_LE64((uint64_t)(x & 0xffffff));
    it->key.hi = TSL_LE64((uint64_t)3 << 56);
    it->at = p;
    it->len = 3;
    it->word = word;
}

enum { RUN_DONE, RUN_MORE, RUN_ODD }; /* how a stretch of text ended; else an error */

static inline uint32_t word_begins(struct coder *c)
{
    uint32_t word = !c->mid_word;
    c->mid_word = false;
    return word;
}

/* The piece [at, end), cut where it may be. */
static int put_piece(struct coder *c, const struct tsl_splitscan *scan,
                     struct tsl_slice text, size_t at, size_t end, struct tsl_tokens *out,
                     struct tsl_err *err)
{
    const uint8_t *p = text.data + at, *stop = text.data + end, *part = p;
    uint32_t word = word_begins(c), before = 0, x = 0, cp = 0;
    int rc = 0;
    while (c->m->cuts && stop - p >= 3) {
        uint32_t next_x = four_bytes(p, stop), next_cp;
        uint32_t class = wide_class(scan, next_x, &next_cp);
        if (before && class && !crosses(c->m->cross, c->m->cross_stride, before, class)) {
            if (c->nqueue == QUEUE && (rc = flush(c, out, err)) < 0)
                return rc;
            struct putter q = putter_of(c);
            put_wide(&q, part, (size_t)(p - part), x, cp, word);
            putter_done(c, &q);
            part = p;
            word = 0;
        }
        before = class;
        x = next_x;
        cp = next_cp;
        p += class ? 3 : 1;
    }
    if (c->nqueue == QUEUE && (rc = flush(c, out, err)) < 0)
        return rc;
    struct putter q = putter_of(c);
    if (before && p == stop)
        put_wide(&q, part, (size_t)(stop - part), x, cp, word);
    else
        put_any(&q, part, (size_t)(stop - part), word);
    putter_done(c, &q);
    return 0;
}

struct wide_char {
    uint32_t x, cp, class;
};

/* The most frequent case by far: one letter behind the other, each a part of its own.  *w
 * is the one in front of p, not yet in the queue; so it is of what is returned. */
static __attribute__((noinline)) const uint8_t *
run_single(struct wide_char *w, const uint32_t *bmp, const uint64_t *cross, size_t stride,
           struct putter *q, const uint8_t *p, const uint8_t *end,
           const struct item *full, uint32_t word)
{
    uint32_t x = w->x, cp = w->cp, class = w->class;
    const struct tsl_wordslot *wide = q->wide;
    struct item *it = q->it;
    for (; end - p >= 4 && it < full; p += 3) {
        uint32_t next_x, next_cp, next;
        memcpy(&next_x, p, sizeof next_x);
        next_x = TSL_LE32(next_x);
        next_cp = (next_x & 0xf) << 12 | (next_x >> 2 & 0xfc0) | (next_x >> 16 & 0x3f);
        next = bmp[next_cp];
        if ((next_x & 0xc0c0f0) != 0x8080e0 || next_cp < WIDE_MIN ||
            (next & (TSL_SPLITSCAN_L | TSL_SPLITSCAN_ODD)) != TSL_SPLITSCAN_L ||
            crosses(cross, stride, class, next))
            break;
        const struct tsl_wordslot *slot = &wide[cp - WIDE_MIN];
        TSL_PREFETCH(slot);
        *it++ = (struct item){ { TSL_LE64((uint64_t)(x & 0xffffff)),
                                 TSL_LE64((uint64_t)3 << 56) },
                               slot,
                               p - 3,
                               3,
                               word };
        word = 0;
        x = next_x;
        cp = next_cp;
        class = next;
    }
    *w = (struct wide_char){ x, cp, class };
    q->it = it;
    return p;
}

/* Wide characters on their way into the queue. */
struct wide_run {
    const uint8_t *p, *part, *piece; /* where it is, its part and piece begin */
    struct wide_char c;              /* in front of p */
    uint32_t word;                   /* the part begins one */
    bool mid_word;
};

/* The letters from r->p on that are parts of their own. */
static inline void wide_single(struct wide_run *r, const uint32_t *bmp,
                               const uint64_t *cross, size_t stride, struct putter *q,
                               const uint8_t *end, const struct item *full)
{
    struct wide_char w = r->c;
    const uint8_t *to = run_single(&w, bmp, cross, stride, q, r->p, end, full, r->word);
    if (to == r->p)
        return;
    r->p = to;
    r->part = to - 3;
    r->word = 0;
    r->mid_word = false;
    r->c = w;
}

enum { WIDE_KIND = TSL_SPLITSCAN_L | TSL_SPLITSCAN_X | TSL_SPLITSCAN_ODD };
enum wide_cut { WIDE_END, WIDE_JOINS, WIDE_PART, WIDE_PIECE };

/* What begins with a character of this class behind r->c; crossed: of letters, whether some
 * token may reach from one to the other.  WIDE_END: it is none of the run. */
static inline enum wide_cut wide_cut(const struct wide_run *r, uint32_t class,
                                     bool crossed, bool other_joins)
{
    uint32_t other_before = r->c.class & TSL_SPLITSCAN_X;
    if ((class & WIDE_KIND) == TSL_SPLITSCAN_L) {
        /* One "other" in front of letters is part of their piece, or is none. */
        if (TSL_UNLIKELY(other_before) && !(other_joins && r->p - r->piece == 3))
            return WIDE_PIECE;
        return crossed ? WIDE_JOINS : WIDE_PART;
    }
    if ((class & WIDE_KIND) != TSL_SPLITSCAN_X)
        return WIDE_END;
    return other_before ? WIDE_JOINS : WIDE_PIECE;
}

/* The end of run_wide, at the first that is not wide, or is of another kind. */
static int wide_end(struct coder *c, const struct tsl_splitscan *scan,
                    struct tsl_slice text, const struct wide_run *r, size_t *at,
                    bool last, struct tsl_tokens *out, struct tsl_err *err)
{
    const uint8_t *p = r->p, *end = text.data + text.len;
    const bool other_joins = scan->pattern != TSL_SPLITPAT_GPT2;
    uint32_t class = 0;
    size_t n = 0;
    int rc;
    c->mid_word = r->mid_word;
    /* Other letters may follow, and the end of what is there may be inside of one. */
    if (r->c.class & TSL_SPLITSCAN_L) {
        for (; p < end; p += n) {
            class = tsl_splitscan_class(scan, p, end, &n);
            if ((class & (TSL_SPLITSCAN_L | TSL_SPLITSCAN_ODD)) != TSL_SPLITSCAN_L)
                break;
        }
    } else if (p < end) {
        uint32_t more = TSL_SPLITSCAN_X | TSL_SPLITSCAN_NL;
        if (other_joins)
            more |= TSL_SPLITSCAN_L;
        class = tsl_splitscan_class(scan, p, end, &n);
        if (class & more && !(class & TSL_SPLITSCAN_ODD)) {
            *at = (size_t)(r->piece - text.data); /* nothing of it is in the queue */
            return RUN_DONE;
        }
    }
    bool more = !last && (p == end || ((class & TSL_SPLITSCAN_X) && p + n == end));
    if (more || (p < end && (class & TSL_SPLITSCAN_ODD))) {
        if (r->part > r->piece)
            c->mid_word = true;
        *at = (size_t)(r->part - text.data);
        return more ? RUN_MORE : RUN_ODD;
    }
    if (c->nqueue == QUEUE && (rc = flush(c, out, err)) < 0)
        return rc;
    struct putter q = putter_of(c);
    if (p == r->p)
        put_wide(&q, r->part, (size_t)(p - r->part), r->c.x, r->c.cp, r->word);
    else
        put_any(&q, r->part, (size_t)(p - r->part), r->word);
    putter_done(c, &q);
    c->mid_word = false;
    *at = (size_t)(p - text.data);
    return RUN_DONE;
}

/* Pieces of wide letters and wide others, in front of them a blank or nothing, as long as
 * they go on; cut while the end of each is still being looked for.  RUN_DONE: *at is at a
 * piece; where it has not moved, tsl_splitscan_next is to find it.  Else *at may be at a
 * safe cut inside of a run of letters. */
static int run_wide(struct coder *c, const struct tsl_splitscan *scan,
                    struct tsl_slice text, size_t *at, bool last, struct tsl_tokens *out,
                    struct tsl_err *err)
{
    const uint8_t *end = text.data + text.len, *begin = text.data + *at;
    const bool other_joins = scan->pattern != TSL_SPLITPAT_GPT2;
    const uint64_t *cross = c->m->cross;
    const size_t stride = c->m->cross_stride;
    const struct item *full = c->queue + QUEUE;
    struct wide_run r = {
        begin + (*begin == ' '), begin, begin, { 0 }, !c->mid_word, c->mid_word
    };
    struct putter q = putter_of(c);
    int rc;
    r.c.x = four_bytes(r.p, end);
    r.c.class = wide_class(scan, r.c.x, &r.c.cp);
    if ((r.c.class & WIDE_KIND) != TSL_SPLITSCAN_L &&
        ((r.c.class & WIDE_KIND) != TSL_SPLITSCAN_X || r.p > begin))
        return RUN_DONE;
    for (r.p += 3; end - r.p >= 3; r.p += 3) {
        if (r.p - r.part == 3 && (r.c.class & TSL_SPLITSCAN_L)) {
            wide_single(&r, scan->bmp, cross, stride, &q, end, full);
            if (end - r.p < 3)
                break;
        }
        struct wide_char next = { .x = four_bytes(r.p, end) };
        next.class = wide_class(scan, next.x, &next.cp);
        enum wide_cut cut = wide_cut(
            &r, next.class, crosses(cross, stride, r.c.class, next.class), other_joins);
        if (cut == WIDE_END)
            break;
        if (TSL_LIKELY(cut != WIDE_JOINS)) {
            if (TSL_UNLIKELY(q.it == full)) {
                putter_done(c, &q);
                if ((rc = flush(c, out, err)) < 0)
                    return rc;
                q = putter_of(c);
            }
            put_wide(&q, r.part, (size_t)(r.p - r.part), r.c.x, r.c.cp, r.word);
            r.mid_word = false;
            r.part = r.p;
            r.word = cut == WIDE_PIECE;
            if (cut == WIDE_PIECE)
                r.piece = r.p;
        }
        r.c = next;
    }
    putter_done(c, &q);
    return wide_end(c, scan, text, &r, at, last, out, err);
}

/* Whether a text may be taken up again at any character of the piece p[0, n), whose end is
 * not known yet, but the first and the last KEPT_BYTES: whether the rest, had it nothing
 * before it, would be a piece with the same end.  So it is in a run of characters of one
 * kind, while some of them are left: no pattern looks further ahead, and only a piece's
 * first character is ever one of another kind. */
static bool is_run(const struct tsl_splitscan *scan, const uint8_t *p, size_t n,
                   bool *odd)
{
    const bool gpt2 = scan->pattern == TSL_SPLITPAT_GPT2;
    const uint8_t *end = p + n;
    size_t len;
    *odd = false;
    for (const uint8_t *q = p; end - q >= 4 && !*odd; q += len)
        *odd = tsl_splitscan_class(scan, q, end, &len) & TSL_SPLITSCAN_ODD;
    switch (scan->pattern) {
    case TSL_SPLITPAT_UNKNOWN: return !*odd;
    case TSL_SPLITPAT_GPT2:
    case TSL_SPLITPAT_CL100K:
    case TSL_SPLITPAT_CL100K_T:
    case TSL_SPLITPAT_QWEN2:
    case TSL_SPLITPAT_O200K: break;
    default: return false;
    }
    if (*odd)
        return false;
    uint32_t first = tsl_splitscan_class(scan, p, end, &len) & 0xff;
    p += len;
    uint32_t kind = tsl_splitscan_class(scan, p, end, &len) & 0xff;
    if ((kind & TSL_SPLITSCAN_N) && !gpt2)
        return false;
    /* newlines behind something else are that one's, and not other white space's */
    if ((kind & TSL_SPLITSCAN_NL) && !(first & TSL_SPLITSCAN_S) && !gpt2)
        return false;
    while (end - p >= 4 && (tsl_splitscan_class(scan, p, end, &len) & 0xff) == kind)
        p += len;
    return end - p < 4; /* the last character may be cut short */
}

/* The text ends inside of the piece at *at: takes what is certain of it, where it is long
 * and may be taken up again.  RUN_MORE, or RUN_ODD: it has to be mapped first. */
static int run_open(struct coder *c, const struct tsl_splitscan *scan,
                    struct tsl_slice text, size_t *at, struct tsl_tokens *out,
                    struct tsl_err *err)
{
    const uint8_t *p = text.data + *at;
    size_t n = text.len - *at, used;
    bool odd = false;
    if (n < HUGE_BYTES || !is_run(scan, p, n, &odd))
        return odd ? RUN_ODD : RUN_MORE;
    int rc = flush(c, out, err);
    if (rc == 0)
        rc = run_huge(c, p, n - KEPT_BYTES, !c->in_huge, true, !c->mid_word, c->base,
                      &used, out, err);
    if (rc < 0)
        return rc;
    if (used) {
        c->in_huge = c->mid_word = true;
        *at += used;
    }
    return RUN_MORE;
}

/* The rest of a piece that run_open began with. */
static int run_rest(struct coder *c, const struct tsl_splitscan *scan,
                    struct tsl_slice text, size_t *at, bool last, struct tsl_tokens *out,
                    struct tsl_err *err)
{
    size_t used;
    int64_t end = tsl_splitscan_next(scan, text, *at, last);
    if (end == TSL_SPLITSCAN_MORE)
        return run_open(c, scan, text, at, out, err);
    if (end == TSL_SPLITSCAN_MET_ODD)
        return RUN_ODD;
    int rc = flush(c, out, err);
    if (rc == 0)
        rc = run_huge(c, text.data + *at, (size_t)end - *at, false, false, 0, c->base,
                      &used, out, err);
    if (rc < 0)
        return rc;
    c->in_huge = c->mid_word = false;
    *at = (size_t)end;
    return RUN_DONE;
}

/* Puts the pieces of text from *at on into the queue; *at is where it stopped. */
static int run_pieces(struct coder *c, const struct tsl_splitscan *scan,
                      struct tsl_slice text, size_t *at, bool last,
                      struct tsl_tokens *out, struct tsl_err *err)
{
    bool letters = c->m->letters_alike && c->m->cuts;
    while (*at < text.len) {
        if (TSL_UNLIKELY(c->in_huge)) {
            int rc = run_rest(c, scan, text, at, last, out, err);
            if (rc != RUN_DONE)
                return rc;
            continue;
        }
        if (text.data[*at] < 0x80) {
            size_t n = tsl_splitscan_ascii(scan, text, *at, last, c->pieces, QUEUE);
            if (c->nqueue + n > QUEUE) {
                int rc = flush(c, out, err);
                if (rc < 0)
                    return rc;
            }
            const uint8_t *p = text.data + *at;
            struct putter q = putter_of(c);
            for (size_t i = 0; i < n; i++) {
                const uint8_t *end = text.data + c->pieces[i];
                put_any(&q, p, (size_t)(end - p), 1);
                p = end;
            }
            putter_done(c, &q);
            if (n) {
                c->queue[c->nqueue - n].word = word_begins(c);
                *at = c->pieces[n - 1];
                continue;
            }
        }
        size_t before = *at;
        if (letters) {
            int rc = run_wide(c, scan, text, at, last, out, err);
            if (rc == RUN_MORE)
                return run_open(c, scan, text, at, out, err);
            if (rc != RUN_DONE)
                return rc;
        }
        if (*at == before) {
            int64_t end = tsl_splitscan_next(scan, text, *at, last);
            if (end == TSL_SPLITSCAN_MORE)
                return run_open(c, scan, text, at, out, err);
            if (end == TSL_SPLITSCAN_MET_ODD)
                return RUN_ODD;
            int rc = put_piece(c, scan, text, *at, (size_t)end, out, err);
            if (rc < 0)
                return rc;
            *at = (size_t)end;
        }
    }
    return RUN_DONE;
}

static int put_special(struct coder *c, const struct tsl_bytebpe_special *s, size_t at,
                       struct tsl_tokens *out, struct tsl_err *err)
{
    int rc = flush(c, out, err);
    uint32_t begin = (uint32_t)at, end = (uint32_t)(at + s->text.len);
    if (rc < 0)
        return rc;
    if (c->map && (out->want & TSL_WANT_SPANS))
        source_of(c, &begin, &end);
    c->mid_word = false;
    return tsl_tokens_add(out, s->id, begin, end,
                          TSL_TOKEN_SPECIAL | TSL_TOKEN_WORD_START, err);
}

/* Finds special tokens in text from at on.  Where text goes on, one that begins within
 * longest of its end is not certain, nor what is before it: the rest is left for later. */
struct finding {
    const struct tsl_bytebpe_special *special; /* NULL: none before text.len */
    struct tsl_slice text;                     /* what is before it */
    bool last;                                 /* ... ends here */
};

static struct finding find_special(const struct specials *s, struct tsl_slice text,
                                   size_t at, bool last)
{
    struct finding f = { NULL, text, last };
    size_t where = text.len;
    if (!s->n)
        return f;
    f.special = specials_find(s, text, at, &where);
    if (!last) {
        size_t certain = text.len > s->longest ? text.len - s->longest : 0;
        if (where >= certain) {
            f.special = NULL;
            f.text.len = certain > at ? certain : at;
            return f;
        }
    }
    if (f.special) {
        f.text.len = where;
        f.last = true;
    }
    return f;
}

/* Text between special tokens of the first kind, that needs no normalising or has had it:
 * takes out those of the second kind.  *f: the next of them, kept from call to call for
 * one text, so that it is not searched more than once; f->text.data NULL at first. */
static int run_normal(struct coder *c, const struct tsl_splitscan *scan,
                      struct tsl_slice text, size_t *at, bool last, struct finding *f,
                      struct tsl_tokens *out, struct tsl_err *err)
{
    for (;;) {
        if (!f->text.data || *at > f->text.len)
            *f = find_special(&c->m->normalized, text, *at, last);
        if (f->special && !c->map) {
            /* What follows may join its last character. */
            size_t behind = f->text.len + f->special->text.len, n;
            if (behind < text.len &&
                (tsl_splitscan_class(scan, text.data + behind, text.data + text.len, &n) &
                 TSL_SPLITSCAN_ODD))
                return RUN_ODD;
        }
        int rc = run_pieces(c, scan, f->text, at, f->last, out, err);
        if (rc != RUN_DONE)
            return rc;
        if (!f->special)
            return *at < text.len ? RUN_MORE : RUN_DONE;
        rc = put_special(c, f->special, *at, out, err);
        if (rc < 0)
            return rc;
        *at += f->special->text.len;
    }
}

/* Whether normalising may begin here: at a character that nothing joins from behind. */
static bool is_boundary(const struct coder *c, const uint8_t *p, const uint8_t *end)
{
    size_t n;
    return (*p & 0xc0) != 0x80 &&
           !(tsl_splitscan_class(&c->m->scan, p, end, &n) & TSL_SPLITSCAN_ODD);
}

/* Whether mapped text from to on is what comes from p on alone; begins: to is the first
 * character that comes from p. */
static bool is_resumable(const struct coder *c, const uint8_t *p, const uint8_t *end,
                         const uint8_t *to, bool begins)
{
    uint32_t cp;
    (void)tsl_utf8_decode(p, end, &cp);
    if (begins && cp == TSL_UTF8_BAD) /* nothing joins U+FFFD */
        return memcmp(to, "\xef\xbf\xbd", 3) == 0;
    return (begins || *to == *p) && is_boundary(c, p, end);
}

/* Sets c->repaired to a blank, if asked for, and text without ill-formed parts. */
static int repair(struct coder *c, struct tsl_slice text, size_t at, bool blank,
                  struct tsl_err *err)
{
    const uint8_t *p = text.data, *end = p + text.len;
    uint8_t replacement[4];
    size_t replacement_len = tsl_utf8_encode(replacement, TSL_UTF8_REPLACEMENT), n;
    int rc = 0;
    tsl_atext_reset(&c->repaired);
    if (blank)
        rc = tsl_atext_add(&c->repaired, " ", 1, 0, 0, err);
    for (; p < end && rc == 0; p += n) {
        uint32_t cp, begin = (uint32_t)(p - text.data);
        n = tsl_utf8_decode(p, end, &cp);
        if (cp != TSL_UTF8_BAD || c->m->invalid == TSL_INVALID_BYTES) {
            rc = tsl_atext_add(&c->repaired, p, n, begin, begin + (uint32_t)n, err);
            continue;
        }
        if (c->m->invalid == TSL_INVALID_ERROR)
            return tsl_err_set(err, TSL_EFORMAT, "byte %zu of the text is not UTF-8",
                               at + begin);
        rc = tsl_atext_add(&c->repaired, replacement, replacement_len, begin,
                           begin + (uint32_t)n, err);
    }
    return rc;
}

/* Bytes at the end of text that may be the beginning of a character. */
static size_t cut_short(struct tsl_slice text)
{
    for (size_t k = 1; k <= 3 && k <= text.len; k++) {
        uint8_t a = text.data[text.len - k];
        if (a >= 0xc0)
            return (a >= 0xf0 ? 4U : a >= 0xe0 ? 3U : 2U) > k ? k : 0;
        if (a < 0x80)
            return 0;
    }
    return 0;
}

static uint64_t count_invalid(const uint8_t *p, const uint8_t *end)
{
    uint64_t k = 0;
    while (p < end) {
        uint32_t cp;
        p += tsl_utf8_decode(p, end, &cp);
        k += cp == TSL_UTF8_BAD;
    }
    return k;
}

/* Makes part, which is at `at` of the text, what c works on: repaired and normalised. */
static int map_part(struct coder *c, struct tsl_slice part, size_t at, bool blank,
                    struct tsl_err *err)
{
    int rc = repair(c, part, at, blank, err);
    c->map = &c->repaired;
    if (rc == 0 && c->m->nfc) {
        rc = tsl_normform_apply(TSL_NFC, &c->repaired, &c->normal, err);
        c->map = &c->normal;
    }
    c->map_at = (uint32_t)at;
    c->base = c->map->bytes;
    c->readable = c->base + c->map->len;
    return rc;
}

/* Where in part to go on, c->map having been taken up to `done`; 0: that is not clear. */
static size_t resume_at(const struct coder *c, struct tsl_slice part, size_t done,
                        bool blank)
{
    if (done == 0 || (blank && done == 1))
        return 0;
    size_t source = c->map->begin[done];
    return source > 0 &&
                   is_resumable(c, part.data + source, part.data + part.len,
                                c->map->bytes + done, source != c->map->begin[done - 1])
               ? source
               : 0;
}

/* The end of the part from `from` on that has size bytes or a few more: where normalising
 * may begin; whole: of the text. */
static size_t part_end(const struct coder *c, struct tsl_slice text, size_t from,
                       size_t size, bool last, bool *whole)
{
    size_t end = text.len - from < size ? text.len : from + size;
    while (end < text.len && !is_boundary(c, text.data + end, text.data + text.len))
        end++;
    *whole = end == text.len;
    if (*whole && !last)
        end -= cut_short((struct tsl_slice){ text.data + from, end - from });
    return end;
}

/* The same for a stretch that has to be repaired or normalised first, or to get a blank in
 * front: as much of it as needs it, and a little more.  RUN_DONE: *at has gone on. */
static int run_mapped(struct coder *c, struct tsl_slice text, size_t *at, bool last,
                      struct tsl_tokens *out, struct tsl_err *err)
{
    const uint8_t *base = c->base, *readable = c->readable;
    const size_t from = *at;
    const bool mid_word = c->mid_word, in_huge = c->in_huge;
    const bool blank = c->fresh && c->m->prefix_space && text.data[from] != ' ';
    bool whole = false;
    int rc = flush(c, out, err);
    const size_t n_before = out->n;
    if (in_huge)
        tsl_longbpe_save(c->huge);
    for (size_t size = CHUNK_BYTES; rc >= 0; size *= 2) {
        struct finding f = { 0 };
        size_t end = part_end(c, text, from, size, last, &whole), done = 0;
        struct tsl_slice part = { text.data + from, end - from };
        rc = map_part(c, part, (size_t)(part.data - base), blank, err);
        struct tsl_slice mapped = { c->map->bytes, c->map->len };
        if (rc == 0)
            rc = run_normal(c, &c->m->scan_normal, mapped, &done, whole && last, &f, out,
                            err);
        if (rc >= 0) {
            int flushed = flush(c, out, err);
            rc = flushed < 0 ? flushed : rc;
        }
        if (rc < 0)
            break;
        assert(rc != RUN_ODD);
        if (done == mapped.len && (done || !part.len)) {
            *at = end;
            rc = whole && !last && end < text.len ? RUN_MORE : RUN_DONE;
            break;
        }
        /* Stopped at a piece: to be taken up again at its source, if that is clear. */
        size_t source = resume_at(c, part, done, blank);
        if (source > 0) {
            *at = from + source;
            rc = RUN_DONE;
            break;
        }
        out->n = n_before;
        c->mid_word = mid_word;
        c->in_huge = in_huge;
        if (in_huge)
            tsl_longbpe_restore(c->huge);
        rc = RUN_MORE;
        if (whole)
            break;
    }
    c->map = NULL;
    c->base = base;
    c->readable = readable;
    if (rc == RUN_DONE || (rc == RUN_MORE && *at > from)) {
        c->invalid += count_invalid(text.data + from, text.data + *at);
        c->fresh = false;
    }
    return rc;
}

/* Text between special tokens of the first kind. */
static int run_segment(struct coder *c, struct tsl_slice text, size_t *at, bool last,
                       struct tsl_tokens *out, struct tsl_err *err)
{
    struct finding f = { 0 };
    int rc = RUN_DONE;
    while (rc == RUN_DONE && *at < text.len) {
        if (c->fresh && c->m->prefix_space && text.data[*at] != ' ') {
            rc = run_mapped(c, text, at, last, out, err);
            continue;
        }
        size_t before = *at;
        rc = run_normal(c, &c->m->scan, text, at, last, &f, out, err);
        if (*at > before)
            c->fresh = false;
        if (rc == RUN_ODD)
            rc = run_mapped(c, text, at, last, out, err);
    }
    return rc;
}

/* One text, or a stretch of it; what is certain is in the queue or in out. */
static int run_text(struct coder *c, struct tsl_slice text, bool first, bool last,
                    size_t *used, struct tsl_tokens *out, struct tsl_err *err)
{
    size_t at = 0;
    int rc = 0;
    if (first) {
        c->mid_word = c->in_huge = false;
        c->fresh = true;
    }
    for (;;) {
        struct finding f = find_special(&c->m->raw, text, at, last);
        rc = run_segment(c, f.text, &at, f.last, out, err);
        if (rc != RUN_DONE || !f.special)
            break;
        rc = put_special(c, f.special, at, out, err);
        if (rc < 0)
            break;
        at += f.special->text.len;
        c->fresh = true;
    }
    *used = at;
    return rc < 0 ? rc : 0;
}

static int encode(void *coder, struct tsl_slice text, bool first, bool last, size_t *used,
                  struct tsl_tokens *out, struct tsl_err *err)
{
    struct coder *c = coder;
    if (text.len > UINT32_MAX - 2 * TSL_SPLITSCAN_WINDOW)
        return tsl_err_set(err, TSL_EFORMAT, "a text of more than 4 GiB in one row");
    c->base = text.data;
    c->readable = text.data + text.len;
    c->nqueue = 0;
    c->nrowends = 0;
    int rc = run_text(c, text, first, last, used, out, err);
    if (rc == 0)
        rc = flush(c, out, err);
    assert(rc < 0 || !last || *used == text.len);
    return rc;
}

static int encode_rows(void *coder, const uint8_t *bytes, const struct tsl_row *rows,
                       size_t nrows, struct tsl_tokens *out, size_t *ends,
                       struct tsl_err *err)
{
    struct coder *c = coder;
    size_t readable = 0, used;
    int rc = 0;
    for (size_t i = 0; i < nrows; i++)
        if ((size_t)rows[i].at + rows[i].len > readable)
            readable = (size_t)rows[i].at + rows[i].len;
    c->ends = ends;
    c->readable = bytes + readable;
    c->nqueue = 0;
    c->nrowends = 0;
    for (size_t i = 0; i < nrows && rc == 0; i++) {
        struct tsl_slice text = { bytes + rows[i].at, rows[i].len };
        c->base = text.data;
        rc = run_text(c, text, true, true, &used, out, err);
        assert(rc < 0 || used == text.len);
        c->rowends[c->nrowends++] = (struct rowend){ c->nqueue, c->base, i };
        if (rc == 0 && c->nrowends == QUEUE)
            rc = flush(c, out, err);
    }
    if (rc == 0)
        rc = flush(c, out, err);
    return rc;
}

static void model_destroy(void *model)
{
    tsl_bytebpe_model_destroy(model);
}

const struct tsl_engine tsl_bytebpe_engine = {
    .name = "byte-level BPE",
    .coder_create = coder_create,
    .coder_destroy = coder_destroy,
    .encode = encode,
    .encode_rows = encode_rows,
    .counts = counts,
    .model_destroy = model_destroy,
};
