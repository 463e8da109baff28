#include "text/charsrule.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/charsmapmake.h"
#include "text/normform.h"

enum {
    NCODES = 0x110000,
    HANGUL = 0xac00, /* the first of the syllables */
    KEY_MAX = 8,     /* code points; the longest key has 7 */
    LEN_MAX = TSL_NORMFORM_CHAR_MAX,
    SPACE = ' '
};

/* A string of code points, somewhere in maker.points. */
struct string {
    uint32_t at, len;
};

struct rule {
    struct string from, to;
    bool kept;
};

/* One code point's decomposition is another one: full width letters and their like. */
struct variant {
    uint32_t plain, cp;
};

struct maker {
    struct tsl_err *err;
    uint32_t *points;
    size_t npoints, points_cap;
    struct rule *rules;
    size_t nrules, rules_cap;
    uint32_t *table; /* of rules by from, + 1; 0: empty */
    size_t mask;
    struct variant *variants; /* by plain, then cp */
    size_t nvariants, variants_cap;
    struct rule *falls; /* characters that fall into several: NFKD and NFKC */
    size_t nfalls, falls_cap;
};

static const uint32_t *text_of(const struct maker *m, struct string s)
{
    return m->points + s.at;
}

static bool same(const struct maker *m, struct string a, struct string b)
{
    return a.len == b.len &&
           memcmp(text_of(m, a), text_of(m, b), a.len * sizeof *m->points) == 0;
}

static int put_string(struct maker *m, const uint32_t *cp, size_t n, struct string *s)
{
    int rc = tsl_mem_grow(&m->points, &m->points_cap, m->npoints + n, sizeof *m->points,
                          "normalisation rules", m->err);
    if (rc < 0)
        return rc;
    if (n)
        memcpy(m->points + m->npoints, cp, n * sizeof *cp);
    *s = (struct string){ (uint32_t)m->npoints, (uint32_t)n };
    m->npoints += n;
    return 0;
}

/* ---- rules by the string that they are for ---- */

static size_t home_of(const struct maker *m, const uint32_t *cp, size_t n)
{
    return tsl_hash64(cp, n * sizeof *cp, 0) & m->mask;
}

static struct rule *find_rule(const struct maker *m, const uint32_t *cp, size_t n)
{
    for (size_t at = home_of(m, cp, n); m->table[at]; at = (at + 1) & m->mask) {
        struct rule *r = &m->rules[m->table[at] - 1];
        if (r->from.len == n && memcmp(text_of(m, r->from), cp, n * sizeof *cp) == 0)
            return r;
    }
    return NULL;
}

static int grow_table(struct maker *m)
{
    size_t size = m->mask ? 2 * (m->mask + 1) : 1 << 15;
    uint32_t *table = tsl_mem_alloc(size, sizeof *table, "normalisation rules", m->err);
    if (!table)
        return TSL_ENOMEM;
    tsl_mem_free(m->table);
    m->table = table;
    m->mask = size - 1;
    for (size_t i = 0; i < m->nrules; i++) {
        struct string s = m->rules[i].from;
        size_t at = home_of(m, text_of(m, s), s.len);
        while (table[at])
            at = (at + 1) & m->mask;
        table[at] = (uint32_t)i + 1;
    }
    return 0;
}

/* Adds a rule, or gives the one that there is another result. */
static int put_rule(struct maker *m, const uint32_t *cp, size_t n, struct string to)
{
    struct string from;
    int rc = m->nrules * 2 >= m->mask ? grow_table(m) : 0;
    if (rc < 0)
        return rc;
    struct rule *r = find_rule(m, cp, n);
    if (r) {
        r->to = to;
        return 0;
    }
    rc = put_string(m, cp, n, &from);
    if (rc == 0)
        rc = tsl_mem_grow(&m->rules, &m->rules_cap, m->nrules + 1, sizeof *m->rules,
                          "normalisation rules", m->err);
    if (rc < 0)
        return rc;
    size_t at = home_of(m, cp, n);
    while (m->table[at])
        at = (at + 1) & m->mask;
    m->rules[m->nrules++] = (struct rule){ .from = from, .to = to };
    m->table[at] = (uint32_t)m->nrules;
    return 0;
}

static int put_char_rule(struct maker *m, uint32_t cp, const uint32_t *to, size_t n)
{
    struct string s;
    int rc = put_string(m, to, n, &s);
    return rc < 0 ? rc : put_rule(m, &cp, 1, s);
}

/* ---- NFKC ---- */

/* What one character becomes is a rule; what it falls into is kept for sequences. */
static int take_char(struct maker *m, uint32_t cp)
{
    uint32_t nfkd[LEN_MAX], nfkc[LEN_MAX];
    size_t nd = tsl_normform_fall(cp, nfkd), nc = nd;
    if (nd == 0)
        return 0; /* it stays itself */
    memcpy(nfkc, nfkd, nd * sizeof *nfkd);
    nc = tsl_normform_compose(nfkc, nd);
    int rc = nc == 1 && nfkc[0] == cp ? 0 : put_char_rule(m, cp, nfkc, nc);
    if (rc < 0)
        return rc;
    if (nd == 1) {
        rc = tsl_mem_grow(&m->variants, &m->variants_cap, m->nvariants + 1,
                          sizeof *m->variants, "normalisation rules", m->err);
        if (rc == 0)
            m->variants[m->nvariants++] = (struct variant){ nfkd[0], cp };
        return rc;
    }
    struct rule fall = { 0 };
    rc = put_string(m, nfkd, nd, &fall.from);
    if (rc == 0)
        rc = put_string(m, nfkc, nc, &fall.to);
    if (rc == 0)
        rc = tsl_mem_grow(&m->falls, &m->falls_cap, m->nfalls + 1, sizeof *m->falls,
                          "normalisation rules", m->err);
    if (rc == 0 && !same(m, fall.from, fall.to))
        m->falls[m->nfalls++] = fall;
    return rc;
}

static int by_plain(const void *a, const void *b)
{
    const struct variant *x = a, *y = b;
    if (x->plain != y->plain)
        return x->plain < y->plain ? -1 : 1;
    return x->cp < y->cp ? -1 : x->cp > y->cp;
}

/* The first variant of a character; *n: how many there are. */
static const struct variant *variants_of(const struct maker *m, uint32_t plain, size_t *n)
{
    size_t low = 0, high = m->nvariants;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (m->variants[mid].plain < plain)
            low = mid + 1;
        else
            high = mid;
    }
    for (*n = 0; low + *n < m->nvariants && m->variants[low + *n].plain == plain;)
        ++*n;
    return m->variants + low;
}

/* Rules for all ways to write fall.from with variants, from place i of key on. */
static int put_ways(struct maker *m, struct rule fall, uint32_t key[KEY_MAX], size_t i)
{
    size_t n;
    if (i == fall.from.len) {
        struct string to = fall.to;
        if (i == to.len && memcmp(key, text_of(m, to), i * sizeof *key) == 0)
            return 0;
        return put_rule(m, key, i, to);
    }
    key[i] = text_of(m, fall.from)[i];
    const struct variant *v = variants_of(m, key[i], &n);
    int rc = put_ways(m, fall, key, i + 1);
    for (size_t k = 0; k < n && rc == 0; k++) {
        key[i] = v[k].cp;
        rc = put_ways(m, fall, key, i + 1);
    }
    return rc;
}

static int put_nfkc(struct maker *m)
{
    uint32_t key[KEY_MAX];
    int rc = 0;
    for (uint32_t cp = 1; cp < NCODES && rc == 0; cp++)
        rc = take_char(m, cp);
    if (rc == 0 && m->nvariants)
        qsort(m->variants, m->nvariants, sizeof *m->variants, by_plain);
    for (size_t i = 0; i < m->nfalls && rc == 0; i++)
        if (m->falls[i].from.len <= KEY_MAX)
            rc = put_ways(m, m->falls[i], key, 0);
    return rc;
}

/* ---- redundant rules ---- */

/* What the kept rules, up to max code points long, make of from: is it to? */
static bool others_do(const struct maker *m, const struct rule *r, size_t max)
{
    const uint32_t *from = text_of(m, r->from), *to = text_of(m, r->to);
    size_t at = 0;
    for (size_t i = 0, used; i < r->from.len; i += used) {
        const struct rule *found = NULL;
        used = r->from.len - i < max ? r->from.len - i : max;
        for (; used; used--) {
            found = find_rule(m, from + i, used);
            if (found && found->kept)
                break;
            found = NULL;
        }
        const uint32_t *p = found ? text_of(m, found->to) : from + i;
        size_t n = found ? found->to.len : 1;
        used += !found;
        if (at + n > r->to.len || memcmp(to + at, p, n * sizeof *p) != 0)
            return false;
        at += n;
    }
    return at == r->to.len;
}

/* Keeps rules that shorter ones do not make superfluous. */
static void prune(struct maker *m)
{
    for (size_t len = 1; len <= KEY_MAX; len++)
        for (size_t i = 0; i < m->nrules; i++) {
            struct rule *r = &m->rules[i];
            if (r->from.len == len)
                r->kept = !others_do(m, r, len - 1);
        }
    /* what is left out now must not come back when rules are added */
    size_t n = 0;
    for (size_t i = 0; i < m->nrules; i++)
        if (m->rules[i].kept)
            m->rules[n++] = m->rules[i];
    m->nrules = n;
    memset(m->table, 0, (m->mask + 1) * sizeof *m->table);
    for (size_t i = 0; i < n; i++) {
        struct string s = m->rules[i].from;
        size_t at = home_of(m, text_of(m, s), s.len);
        while (m->table[at])
            at = (at + 1) & m->mask;
        m->table[at] = (uint32_t)i + 1;
    }
}

/* ---- nmt and case ---- */

static int put_nmt(struct maker *m)
{
    static const uint32_t blanks[] = { 0x09,   0x0a,   0x0c,   0x0d,   0x1680,
                                       0x200b, 0x200c, 0x200e, 0x200f, 0x2028,
                                       0x2029, 0x2581, 0xfeff, 0xfffd };
    static const uint32_t space = SPACE;
    const uint32_t tilde = 0xff5e; /* Japanese uses it and U+007E for two things */
    int rc = 0;
    for (uint32_t cp = 1; cp <= 0x9f && rc == 0; cp++) {
        bool vanishes =
            (cp < 0x20 && cp != '\t' && cp != '\n' && cp != '\f' && cp != '\r') ||
            cp == 0x7f || cp == 0x8f || cp == 0x9f;
        if (vanishes)
            rc = put_char_rule(m, cp, &space, 0);
    }
    for (size_t i = 0; i < sizeof blanks / sizeof *blanks && rc == 0; i++)
        rc = put_char_rule(m, blanks[i], &space, 1);
    return rc < 0 ? rc : put_char_rule(m, tilde, &tilde, 1);
}

/* n characters, step apart, from first on: what is added to fold their case. */
struct fold {
    uint32_t first;
    uint8_t n, step;
    int32_t add;
};

static const struct fold folds[] = {
    { 0x41, 26, 1, 32 },       { 0xb5, 1, 1, 775 },      { 0xc0, 23, 1, 32 },
    { 0xd8, 7, 1, 32 },        { 0x100, 24, 2, 1 },      { 0x132, 3, 2, 1 },
    { 0x139, 8, 2, 1 },        { 0x14a, 23, 2, 1 },      { 0x178, 1, 1, -121 },
    { 0x179, 3, 2, 1 },        { 0x17f, 1, 1, -268 },    { 0x181, 1, 1, 210 },
    { 0x182, 2, 2, 1 },        { 0x186, 1, 1, 206 },     { 0x187, 1, 1, 1 },
    { 0x189, 2, 1, 205 },      { 0x18b, 1, 1, 1 },       { 0x18e, 1, 1, 79 },
    { 0x18f, 1, 1, 202 },      { 0x190, 1, 1, 203 },     { 0x191, 1, 1, 1 },
    { 0x193, 1, 1, 205 },      { 0x194, 1, 1, 207 },     { 0x196, 1, 1, 211 },
    { 0x197, 1, 1, 209 },      { 0x198, 1, 1, 1 },       { 0x19c, 1, 1, 211 },
    { 0x19d, 1, 1, 213 },      { 0x19f, 1, 1, 214 },     { 0x1a0, 3, 2, 1 },
    { 0x1a6, 1, 1, 218 },      { 0x1a7, 1, 1, 1 },       { 0x1a9, 1, 1, 218 },
    { 0x1ac, 1, 1, 1 },        { 0x1ae, 1, 1, 218 },     { 0x1af, 1, 1, 1 },
    { 0x1b1, 2, 1, 217 },      { 0x1b3, 2, 2, 1 },       { 0x1b7, 1, 1, 219 },
    { 0x1b8, 1, 1, 1 },        { 0x1bc, 1, 1, 1 },       { 0x1c4, 1, 1, 2 },
    { 0x1c5, 1, 1, 1 },        { 0x1c7, 1, 1, 2 },       { 0x1c8, 1, 1, 1 },
    { 0x1ca, 1, 1, 2 },        { 0x1cb, 9, 2, 1 },       { 0x1de, 9, 2, 1 },
    { 0x1f1, 1, 1, 2 },        { 0x1f2, 2, 2, 1 },       { 0x1f6, 1, 1, -97 },
    { 0x1f7, 1, 1, -56 },      { 0x1f8, 20, 2, 1 },      { 0x220, 1, 1, -130 },
    { 0x222, 9, 2, 1 },        { 0x23a, 1, 1, 10795 },   { 0x23b, 1, 1, 1 },
    { 0x23d, 1, 1, -163 },     { 0x23e, 1, 1, 10792 },   { 0x241, 1, 1, 1 },
    { 0x243, 1, 1, -195 },     { 0x244, 1, 1, 69 },      { 0x245, 1, 1, 71 },
    { 0x246, 5, 2, 1 },        { 0x345, 1, 1, 116 },     { 0x370, 2, 2, 1 },
    { 0x376, 1, 1, 1 },        { 0x37f, 1, 1, 116 },     { 0x386, 1, 1, 38 },
    { 0x388, 3, 1, 37 },       { 0x38c, 1, 1, 64 },      { 0x38e, 2, 1, 63 },
    { 0x391, 17, 1, 32 },      { 0x3a3, 9, 1, 32 },      { 0x3c2, 1, 1, 1 },
    { 0x3cf, 1, 1, 8 },        { 0x3d0, 1, 1, -30 },     { 0x3d1, 1, 1, -25 },
    { 0x3d5, 1, 1, -15 },      { 0x3d6, 1, 1, -22 },     { 0x3d8, 12, 2, 1 },
    { 0x3f0, 1, 1, -54 },      { 0x3f1, 1, 1, -48 },     { 0x3f4, 1, 1, -60 },
    { 0x3f5, 1, 1, -64 },      { 0x3f7, 1, 1, 1 },       { 0x3f9, 1, 1, -7 },
    { 0x3fa, 1, 1, 1 },        { 0x3fd, 3, 1, -130 },    { 0x400, 16, 1, 80 },
    { 0x410, 32, 1, 32 },      { 0x460, 17, 2, 1 },      { 0x48a, 27, 2, 1 },
    { 0x4c0, 1, 1, 15 },       { 0x4c1, 7, 2, 1 },       { 0x4d0, 48, 2, 1 },
    { 0x531, 38, 1, 48 },      { 0x10a0, 38, 1, 7264 },  { 0x10c7, 1, 1, 7264 },
    { 0x10cd, 1, 1, 7264 },    { 0x13f8, 6, 1, -8 },     { 0x1c80, 1, 1, -6222 },
    { 0x1c81, 1, 1, -6221 },   { 0x1c82, 1, 1, -6212 },  { 0x1c83, 2, 1, -6210 },
    { 0x1c85, 1, 1, -6211 },   { 0x1c86, 1, 1, -6204 },  { 0x1c87, 1, 1, -6180 },
    { 0x1c88, 1, 1, 35267 },   { 0x1c90, 43, 1, -3008 }, { 0x1cbd, 3, 1, -3008 },
    { 0x1e00, 75, 2, 1 },      { 0x1e9b, 1, 1, -58 },    { 0x1e9e, 1, 1, -7615 },
    { 0x1ea0, 48, 2, 1 },      { 0x1f08, 8, 1, -8 },     { 0x1f18, 6, 1, -8 },
    { 0x1f28, 8, 1, -8 },      { 0x1f38, 8, 1, -8 },     { 0x1f48, 6, 1, -8 },
    { 0x1f59, 4, 2, -8 },      { 0x1f68, 8, 1, -8 },     { 0x1f88, 8, 1, -8 },
    { 0x1f98, 8, 1, -8 },      { 0x1fa8, 8, 1, -8 },     { 0x1fb8, 2, 1, -8 },
    { 0x1fba, 2, 1, -74 },     { 0x1fbc, 1, 1, -9 },     { 0x1fbe, 1, 1, -7173 },
    { 0x1fc8, 4, 1, -86 },     { 0x1fcc, 1, 1, -9 },     { 0x1fd8, 2, 1, -8 },
    { 0x1fda, 2, 1, -100 },    { 0x1fe8, 2, 1, -8 },     { 0x1fea, 2, 1, -112 },
    { 0x1fec, 1, 1, -7 },      { 0x1ff8, 2, 1, -128 },   { 0x1ffa, 2, 1, -126 },
    { 0x1ffc, 1, 1, -9 },      { 0x2126, 1, 1, -7517 },  { 0x212a, 1, 1, -8383 },
    { 0x212b, 1, 1, -8262 },   { 0x2132, 1, 1, 28 },     { 0x2160, 16, 1, 16 },
    { 0x2183, 1, 1, 1 },       { 0x24b6, 26, 1, 26 },    { 0x2c00, 47, 1, 48 },
    { 0x2c60, 1, 1, 1 },       { 0x2c62, 1, 1, -10743 }, { 0x2c63, 1, 1, -3814 },
    { 0x2c64, 1, 1, -10727 },  { 0x2c67, 3, 2, 1 },      { 0x2c6d, 1, 1, -10780 },
    { 0x2c6e, 1, 1, -10749 },  { 0x2c6f, 1, 1, -10783 }, { 0x2c70, 1, 1, -10782 },
    { 0x2c72, 1, 1, 1 },       { 0x2c75, 1, 1, 1 },      { 0x2c7e, 2, 1, -10815 },
    { 0x2c80, 50, 2, 1 },      { 0x2ceb, 2, 2, 1 },      { 0x2cf2, 1, 1, 1 },
    { 0xa640, 23, 2, 1 },      { 0xa680, 14, 2, 1 },     { 0xa722, 7, 2, 1 },
    { 0xa732, 31, 2, 1 },      { 0xa779, 2, 2, 1 },      { 0xa77d, 1, 1, -35332 },
    { 0xa77e, 5, 2, 1 },       { 0xa78b, 1, 1, 1 },      { 0xa78d, 1, 1, -42280 },
    { 0xa790, 2, 2, 1 },       { 0xa796, 10, 2, 1 },     { 0xa7aa, 1, 1, -42308 },
    { 0xa7ab, 1, 1, -42319 },  { 0xa7ac, 1, 1, -42315 }, { 0xa7ad, 1, 1, -42305 },
    { 0xa7ae, 1, 1, -42308 },  { 0xa7b0, 1, 1, -42258 }, { 0xa7b1, 1, 1, -42282 },
    { 0xa7b2, 1, 1, -42261 },  { 0xa7b3, 1, 1, 928 },    { 0xa7b4, 6, 2, 1 },
    { 0xa7c2, 1, 1, 1 },       { 0xa7c4, 1, 1, -48 },    { 0xa7c5, 1, 1, -42307 },
    { 0xa7c6, 1, 1, -35384 },  { 0xa7c7, 2, 2, 1 },      { 0xa7f5, 1, 1, 1 },
    { 0xab70, 80, 1, -38864 }, { 0xff21, 26, 1, 32 },    { 0x10400, 40, 1, 40 },
    { 0x104b0, 36, 1, 40 },    { 0x10c80, 51, 1, 64 },   { 0x118a0, 32, 1, 32 },
    { 0x16e40, 32, 1, 32 },    { 0x1e900, 34, 1, 34 },
};

static uint32_t folded(uint32_t cp)
{
    size_t low = 0, high = sizeof folds / sizeof *folds;
    while (high - low > 1) {
        size_t mid = (low + high) / 2;
        if (folds[mid].first <= cp)
            low = mid;
        else
            high = mid;
    }
    uint32_t past = cp - folds[low].first;
    if (cp < folds[low].first || past % folds[low].step ||
        past / folds[low].step >= folds[low].n)
        return cp;
    return (uint32_t)((int32_t)cp + folds[low].add);
}

static int put_folds(struct maker *m)
{
    int rc = 0;
    for (size_t i = 0; i < m->nrules; i++) {
        struct string to =
            m->rules[i].to; /* several rules' perhaps: folding twice is once */
        for (uint32_t k = 0; k < to.len; k++)
            m->points[to.at + k] = folded(m->points[to.at + k]);
    }
    for (size_t i = 0; i < sizeof folds / sizeof *folds; i++)
        for (unsigned k = 0; k < folds[i].n && rc == 0; k++) {
            uint32_t cp = folds[i].first + k * folds[i].step, to = folded(cp);
            if (!find_rule(m, &cp, 1))
                rc = put_char_rule(m, cp, &to, 1);
        }
    return rc;
}

/* ---- the map ---- */

/* Replacements in a pool, each once, with a NUL behind it. */
struct pool {
    uint8_t *bytes;
    size_t n, cap;
    uint32_t *table; /* where they begin, + 1; 0: empty */
    size_t mask;
};

static size_t put_utf8(uint8_t *out, const uint32_t *cp, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        len += tsl_utf8_encode(out + len, cp[i]);
    return len;
}

static int pool_find(struct pool *p, const uint32_t *cp, size_t n, uint32_t *at,
                     struct tsl_err *err)
{
    int rc = tsl_mem_grow(&p->bytes, &p->cap, p->n + 4 * n + 1, 1, "replacements", err);
    if (rc < 0)
        return rc;
    size_t len = put_utf8(p->bytes + p->n, cp, n) + 1;
    p->bytes[p->n + len - 1] = 0;
    size_t home = tsl_hash64(p->bytes + p->n, len, 0) & p->mask;
    for (; p->table[home]; home = (home + 1) & p->mask) {
        *at = p->table[home] - 1;
        if (*at + len <= p->n && memcmp(p->bytes + *at, p->bytes + p->n, len) == 0)
            return 0;
    }
    *at = (uint32_t)p->n;
    p->table[home] = *at + 1;
    p->n += len;
    return 0;
}

static int by_text(const void *a, const void *b)
{
    const struct tsl_charsmapmake_rule *x = a, *y = b;
    size_t n = x->from.len < y->from.len ? x->from.len : y->from.len;
    int c = memcmp(x->from.data, y->from.data, n);
    return c ? c : (x->from.len > y->from.len) - (x->from.len < y->from.len);
}

static int write_map(struct maker *m, uint8_t **blob, size_t *nblob)
{
    struct pool pool = { 0 };
    size_t nkeys = 0, size = 1024;
    while (size < 2 * m->nrules)
        size *= 2;
    struct tsl_charsmapmake_rule *rules =
        tsl_mem_alloc(m->nrules, sizeof *rules, "normalisation rules", m->err);
    uint8_t *keys = tsl_mem_alloc(m->npoints, 4, "normalisation rules", m->err);
    pool.table = tsl_mem_alloc(size, sizeof *pool.table, "replacements", m->err);
    pool.mask = size - 1;
    int rc = rules && keys && pool.table ? 0 : TSL_ENOMEM;
    for (size_t i = 0; i < m->nrules && rc == 0; i++) {
        struct string from = m->rules[i].from, to = m->rules[i].to;
        size_t len = put_utf8(keys + nkeys, text_of(m, from), from.len);
        rules[i].from = (struct tsl_slice){ keys + nkeys, len };
        nkeys += len;
        rc = pool_find(&pool, text_of(m, to), to.len, &rules[i].to, m->err);
    }
    if (rc == 0) {
        struct tsl_slice bytes = { pool.bytes, pool.n };
        qsort(rules, m->nrules, sizeof *rules, by_text);
        rc = tsl_charsmapmake_build(blob, nblob, rules, m->nrules, bytes, m->err);
    }
    tsl_mem_free(rules);
    tsl_mem_free(keys);
    tsl_mem_free(pool.bytes);
    tsl_mem_free(pool.table);
    return rc;
}

struct tsl_slice tsl_charsrule_name(enum tsl_charsrule rule)
{
    static const char *const names[] = {
        [TSL_CHARSRULE_IDENTITY] = "identity",       [TSL_CHARSRULE_NFKC] = "nfkc",
        [TSL_CHARSRULE_NMT_NFKC] = "nmt_nfkc",       [TSL_CHARSRULE_NFKC_CF] = "nfkc_cf",
        [TSL_CHARSRULE_NMT_NFKC_CF] = "nmt_nfkc_cf",
    };
    return (struct tsl_slice){ (const uint8_t *)names[rule], strlen(names[rule]) };
}

int tsl_charsrule_map(enum tsl_charsrule rule, uint8_t **blob, size_t *nblob,
                      struct tsl_err *err)
{
    struct maker m = { .err = err };
    bool nmt = rule == TSL_CHARSRULE_NMT_NFKC || rule == TSL_CHARSRULE_NMT_NFKC_CF;
    bool fold = rule == TSL_CHARSRULE_NFKC_CF || rule == TSL_CHARSRULE_NMT_NFKC_CF;
    *blob = NULL;
    *nblob = 0;
    if (rule == TSL_CHARSRULE_IDENTITY)
        return 0;
    int rc = put_nfkc(&m);
    if (rc == 0)
        prune(&m);
    if (rc == 0 && nmt) {
        rc = put_nmt(&m);
        if (rc == 0)
            prune(&m);
    }
    if (rc == 0 && fold) {
        rc = put_folds(&m);
        if (rc == 0)
            prune(&m);
    }
    if (rc == 0)
        rc = write_map(&m, blob, nblob);
    tsl_mem_free(m.points);
    tsl_mem_free(m.rules);
    tsl_mem_free(m.table);
    tsl_mem_free(m.variants);
    tsl_mem_free(m.falls);
    return rc;
}
