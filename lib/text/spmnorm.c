#include "text/spmnorm.h"

#include <string.h>

#include "base/compiler.h"
#include "base/endian.h"
#include "base/mem.h"
#include "base/quote.h"
#include "base/utf8.h"

enum { NCODES = 0x110000, SPACE_CP = 0x2581, DEPTH_MAX = 512 };

static const uint8_t SPACE[3] = { 0xe2, 0x96, 0x81 };
static const uint8_t REPLACEMENT[3] = { 0xef, 0xbf, 0xbd };

/* ---- what a model leaves alone -------------------------------------------------------- */

static bool is_plain(const struct tsl_spmnorm *nm, uint32_t cp)
{
    return nm->plain[cp >> 6] >> (cp & 63) & 1;
}

static void unplain(struct tsl_spmnorm *nm, uint32_t cp)
{
    nm->plain[cp >> 6] &= ~(UINT64_C(1) << (cp & 63));
}

static uint32_t unit_at(const struct tsl_charsmap *m, uint64_t at)
{
    return at < m->nunits ? tsl_load32(m->units + 4 * at) : UINT32_C(0x80000000);
}

static uint64_t unit_offset(uint32_t unit)
{
    return (uint64_t)(unit >> 10) << ((unit & 0x200) >> 6);
}

/* A walk through all keys of the charsmap's trie.  A unit is the child, by its label, of
 * whichever node has unit ^ label for its base: so the children of a base are listed
 * rather than tried. */
struct scan {
    struct tsl_spmnorm *nm;
    uint32_t *child, *sibling; /* by base, by unit: unit + 1; 0: none */
    uint64_t budget;           /* a trie that is a graph must not keep us */
    size_t longest;
    uint8_t key[DEPTH_MAX];
};

static bool scan_node(struct scan *s, uint64_t base, size_t depth)
{
    const struct tsl_charsmap *m = &s->nm->charsmap;
    if (base >= (m->nunits | 255) + 1)
        return true;
    if (depth == DEPTH_MAX)
        return false;
    for (uint32_t at = s->child[base]; at; at = s->sibling[at - 1]) {
        uint32_t unit = unit_at(m, at - 1), cp;
        if (s->budget-- == 0)
            return false;
        s->key[depth] = (uint8_t)unit;
        s->longest = depth + 1 > s->longest ? depth + 1 : s->longest;
        if (depth < 4) {
            size_t n = tsl_utf8_decode(s->key, s->key + depth + 1, &cp);
            if (n == depth + 1 && cp != TSL_UTF8_BAD)
                unplain(s->nm, cp);
        }
        if (!scan_node(s, (at - 1) ^ unit_offset(unit), depth + 1))
            return false;
    }
    return true;
}

/* What the charsmap may change is not plain, and how much of it must be seen. */
static int scan_charsmap(struct tsl_spmnorm *nm, struct tsl_err *err)
{
    const struct tsl_charsmap *m = &nm->charsmap;
    size_t n = (m->nunits | 255) + 1;
    struct scan s = { .nm = nm, .budget = 1 << 20 };
    s.child = tsl_mem_alloc(n, sizeof *s.child, "a normalizer", err);
    s.sibling = tsl_mem_alloc(n, sizeof *s.sibling, "a normalizer", err);
    int rc = s.child && s.sibling ? 0 : TSL_ENOMEM;
    for (size_t i = m->nunits; i > 0 && rc == 0; i--) {
        uint32_t unit = unit_at(m, i - 1);
        if (unit >> 31 || unit == 0)
            continue;
        size_t base = (i - 1) ^ (unit & 255);
        s.sibling[i - 1] = s.child[base];
        s.child[base] = (uint32_t)i;
    }
    if (rc == 0 && scan_node(&s, unit_offset(unit_at(m, 0)), 0)) {
        nm->hold = s.longest > 4 ? s.longest : 4;
    } else {
        nm->hold = SIZE_MAX;
        memset(nm->plain, 0, NCODES / 8);
    }
    tsl_mem_free(s.child);
    tsl_mem_free(s.sibling);
    return rc;
}

/* What byte c becomes when a byte below 0x80 follows. */
static uint8_t ascii_of(const struct tsl_spmnorm *nm, uint8_t c)
{
    if (nm->has_user) {
        uint64_t s = tsl_trie_root(&nm->user);
        if (tsl_trie_step(&nm->user, &s, c)) {
            if (tsl_trie_value(&nm->user, s) < 0)
                return 0;
            for (unsigned d = 0; d < 0x80; d++) {
                uint64_t t = s;
                if (tsl_trie_step(&nm->user, &t, (uint8_t)d))
                    return 0;
            }
            return c;
        }
    }
    if (!nm->has_charsmap || is_plain(nm, c))
        return c;
    uint8_t two[2] = { c, 0 };
    struct tsl_slice to;
    size_t used;
    uint8_t one = c;
    if (tsl_charsmap_match(&nm->charsmap, two, 1, &used, &to)) {
        if (to.len != 1 || to.data[0] == 0 || (to.data[0] == ' ' && c != ' ') ||
            to.data[0] >= 0x80)
            return 0;
        one = to.data[0];
    }
    /* no longer key may begin with c and another byte of ASCII */
    const struct tsl_charsmap *m = &nm->charsmap;
    uint64_t pos = unit_offset(unit_at(m, 0));
    pos ^= c;
    uint32_t unit = unit_at(m, pos);
    if ((unit & UINT32_C(0x800000ff)) != c)
        return one;
    pos ^= unit_offset(unit);
    for (unsigned d = 0; d < 0x80; d++)
        if ((unit_at(m, pos ^ d) & UINT32_C(0x800000ff)) == d && unit_at(m, pos ^ d) != 0)
            return 0;
    return one;
}

int tsl_spmnorm_init(struct tsl_spmnorm *nm, const struct tsl_spm_normalizer *options,
                     bool suffix, const struct tsl_slice *user, size_t n,
                     const char *name, struct tsl_err *err)
{
    struct tsl_err why = { 0 };
    *nm = (struct tsl_spmnorm){
        .dummy_front = options->add_dummy_prefix && !suffix,
        .dummy_back = options->add_dummy_prefix && suffix,
        .remove_extra = options->remove_extra_whitespaces,
        .escape = options->escape_whitespaces,
        .hold = 4,
    };
    nm->plain = tsl_mem_alloc(NCODES / 64, sizeof *nm->plain, "a normalizer", err);
    if (!nm->plain)
        return TSL_ENOMEM;
    memset(nm->plain, 0xff, NCODES / 8);
    unplain(nm, ' ');
    if (nm->escape)
        unplain(nm, SPACE_CP);
    int rc = tsl_charsmap_open(&nm->charsmap, options->charsmap, &why);
    if (rc < 0)
        return tsl_err_set(err, rc, "%s: its character map: %s", tsl_quote(name).s,
                           why.msg);
    nm->has_charsmap = nm->charsmap.nunits > 0;
    if (nm->has_charsmap) {
        rc = scan_charsmap(nm, err);
        if (rc < 0)
            return rc;
    }
    if (n) {
        rc = tsl_trie_build(&nm->user, user, NULL, n, err);
        if (rc < 0)
            return rc;
        nm->has_user = true;
        for (size_t i = 0; i < n; i++) {
            uint32_t cp;
            tsl_utf8_decode(user[i].data, user[i].data + user[i].len, &cp);
            if (cp != TSL_UTF8_BAD)
                unplain(nm, cp);
            if (user[i].len > nm->hold)
                nm->hold = user[i].len;
        }
    }
    nm->blocks = true;
    for (unsigned c = 1; c < 0x80; c++)
        nm->ascii[c] = nm->hold == SIZE_MAX ? 0 : ascii_of(nm, (uint8_t)c);
    nm->fold = nm->ascii['A'] == 'a';
    for (unsigned c = ' '; c < 0x7f; c++) {
        bool upper = c >= 'A' && c <= 'Z';
        if (nm->ascii[c] == (upper && nm->fold ? c + 32 : c))
            continue;
        if (nm->nodd < TSL_SPMNORM_ODD)
            nm->odd[nm->nodd++] = (uint8_t)c;
        else
            nm->blocks = false;
    }
    return 0;
}

void tsl_spmnorm_fini(struct tsl_spmnorm *nm)
{
    tsl_mem_free(nm->plain);
    tsl_trie_fini(&nm->user);
    *nm = (struct tsl_spmnorm){ 0 };
}

/* ---- one step ------------------------------------------------------------------------- */

/* What the text at p begins with, and becomes: a user-defined piece (as it is), the longest
 * key of the map, a character, or U+FFFD for one byte of no character. */
static size_t step(const struct tsl_spmnorm *nm, const uint8_t *p, const uint8_t *end,
                   struct tsl_slice *to, bool *bad)
{
    size_t used = 0;
    uint32_t cp;
    *bad = false;
    if (nm->has_user) {
        uint64_t s = tsl_trie_root(&nm->user);
        for (const uint8_t *q = p; q < end && tsl_trie_step(&nm->user, &s, *q); q++)
            if (tsl_trie_value(&nm->user, s) >= 0)
                used = (size_t)(q - p) + 1;
        if (used) {
            *to = (struct tsl_slice){ p, used };
            return used;
        }
    }
    if (nm->has_charsmap &&
        tsl_charsmap_match(&nm->charsmap, p, (size_t)(end - p), &used, to))
        return used;
    used = tsl_utf8_decode(p, end, &cp);
    *to = (struct tsl_slice){ p, used };
    if (cp == TSL_UTF8_BAD) {
        *to = (struct tsl_slice){ REPLACEMENT, sizeof REPLACEMENT };
        *bad = true;
        return 1;
    }
    return used;
}

void tsl_spmnorm_begin(struct tsl_spmnorm_run *run)
{
    run->started = run->prev_space = false;
}

static int add_seg(struct tsl_spmnorm_run *run, size_t raw, bool linear,
                   struct tsl_err *err)
{
    int rc = tsl_mem_grow(&run->segs, &run->segs_cap, run->nsegs + 1, sizeof *run->segs,
                          "a normalized text", err);
    if (rc == 0)
        run->segs[run->nsegs++] =
            (struct tsl_spmnorm_seg){ (uint32_t)run->len, (uint32_t)raw, linear };
    return rc;
}

static int room(struct tsl_spmnorm_run *run, size_t n, struct tsl_err *err)
{
    if (run->len + n > UINT32_MAX - TSL_SPMNORM_PAD)
        return tsl_err_set(err, TSL_EUSAGE, "a text of more than 4 GiB once normalized");
    return tsl_mem_grow(&run->bytes, &run->cap, run->len + n + TSL_SPMNORM_PAD, 1,
                        "a normalized text", err);
}

/* Adds what a step gave, at raw, which used so many bytes. */
static int put_step(const struct tsl_spmnorm *nm, struct tsl_spmnorm_run *run,
                    struct tsl_slice to, size_t raw, size_t used, struct tsl_err *err)
{
    while (run->prev_space && to.len && *to.data == ' ')
        to.data++, to.len--;
    int rc = room(run, to.len, err);
    if (rc == 0)
        rc = add_seg(run, raw, false, err);
    if (rc < 0)
        return rc;
    if (to.len)
        run->prev_space = nm->remove_extra && to.data[to.len - 1] == ' ';
    uint8_t *q = run->bytes + run->len;
    for (size_t i = 0; i < to.len;) {
        if (nm->escape && to.len - i >= 3 && memcmp(to.data + i, SPACE, 3) == 0) {
            *q++ = ' ';
            i += 3;
        } else {
            *q++ = to.data[i++];
        }
    }
    run->len = (size_t)(q - run->bytes);
    return add_seg(run, raw + used, true, err);
}

/* Bytes of plain ASCII with single spaces between words, in blocks from p to q.  A byte that
 * is followed by one above 0x7F is not taken. */
TSL_INLINE size_t copy_ascii(const struct tsl_spmnorm *nm, const uint8_t *p, size_t n,
                             uint8_t *q, bool prev_space)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones * 0x80;
    size_t i = 0;
    uint64_t before = prev_space ? 0x80 : 0; /* was the byte before a space? */
    for (; n - i >= 9; i += 8) {
        uint64_t x = tsl_load64(p + i);
        /* in bytes below 0x80 no sum carries into the next byte */
        uint64_t space = ~((x ^ ones * 0x20) + ones * 0x7f) & high;
        uint64_t bad = (x | (x + ones) | ~((x | high) - ones * 0x20)) & high;
        if (nm->remove_extra)
            bad |= space & (space << 8 | before);
        for (unsigned k = 0; k < nm->nodd; k++)
            bad |= ~((x ^ ones * nm->odd[k]) + ones * 0x7f) & high;
        if (bad)
            break;
        if (nm->fold)
            x += ((x + ones * (0x80 - 'A')) & ~(x + ones * (0x80 - 'Z' - 1)) & high) >> 2;
        tsl_store64(q + i, x);
        before = space >> 56;
    }
    return i && p[i] >= 0x80 ? i - 1 : i;
}

/* Where text is read and its normal form written. */
struct cursor {
    const uint8_t *p;
    uint8_t *q;
    bool space; /* the run's prev_space */
};

/* Bytes below 0x80 that stay, or become another one: in blocks, or a few until a block may
 * do again.  false: what c->p points at must be looked at more closely. */
TSL_INLINE bool copy_low(const struct tsl_spmnorm *nm, struct cursor *c,
                         const uint8_t *stop, const uint8_t *end)
{
    if (nm->blocks && stop - c->p >= 9) {
        size_t k = copy_ascii(nm, c->p, (size_t)(stop - c->p), c->q, c->space);
        if (k) {
            c->p += k;
            c->q += k;
            c->space = nm->remove_extra && c->q[-1] == ' ';
            return true;
        }
    }
    const uint8_t *few = stop - c->p < 16 ? stop : c->p + 16;
    while (c->p < few) {
        uint8_t next = c->p + 1 < end ? c->p[1] : 0;
        uint8_t is = nm->ascii[*c->p];
        if (is == 0 || next >= 0x80 || (c->space && is == ' '))
            return false;
        *c->q++ = is;
        c->space = is == ' ' && nm->remove_extra;
        c->p++;
    }
    return true;
}

/* Plain characters of three bytes each, as most of what is not ASCII. */
TSL_INLINE void copy_threes(const struct tsl_spmnorm *nm, struct cursor *c,
                            const uint8_t *stop)
{
    while (stop - c->p >= 4) {
        uint32_t x = tsl_load32(c->p);
        uint32_t cp = (x & 0xf) << 12 | (x >> 2 & 0xfc0) | (x >> 16 & 0x3f);
        if ((x & 0xc0c0f0) != 0x8080e0 || cp < 0x800 || cp - 0xd800 < 0x800 ||
            !is_plain(nm, cp))
            break;
        tsl_store32(c->q, x);
        c->q += 3;
        c->p += 3;
        c->space = false;
    }
}

/* Goes on from c to stop, or to what needs a step.  There is room for as many bytes as are
 * read, and for TSL_SPMNORM_PAD more. */
static struct cursor copy_plain(const struct tsl_spmnorm *nm, struct cursor c,
                                const uint8_t *stop, const uint8_t *end)
{
    while (c.p < stop) {
        uint32_t cp;
        if (*c.p < 0x80 && copy_low(nm, &c, stop, end))
            continue;
        copy_threes(nm, &c, stop);
        if (c.p >= stop)
            break;
        size_t used = tsl_utf8_decode(c.p, end, &cp);
        if (cp == TSL_UTF8_BAD || !is_plain(nm, cp))
            break;
        memcpy(c.q, c.p, used);
        c.q += used;
        c.p += used;
        c.space = false;
    }
    return c;
}

/* One step from *p, which goes forward. */
static int take_step(const struct tsl_spmnorm *nm, struct tsl_spmnorm_run *run,
                     struct tsl_slice text, const uint8_t **p, struct tsl_err *err)
{
    const uint8_t *from = *p, *end = text.data + text.len;
    struct tsl_slice to;
    uint32_t cp;
    bool bad;
    size_t used = step(nm, from, end, &to, &bad);
    run->invalid += bad;
    *p += used;
    /* a character that stays itself needs no segment; a user-defined piece of several
     * has one, for all of it counts as coming from its first byte */
    if (to.data != from || tsl_utf8_decode(from, end, &cp) != used ||
        (cp == ' ' && run->prev_space) || (cp == SPACE_CP && nm->escape))
        return put_step(nm, run, to, (size_t)(from - text.data), used, err);
    int rc = room(run, used, err);
    if (rc < 0)
        return rc;
    memcpy(run->bytes + run->len, from, used);
    run->len += used;
    run->prev_space = nm->remove_extra && from[used - 1] == ' ';
    return 0;
}

/* The beginning of a row: spaces that are dropped, up to stop, and the space put before the
 * rest. */
static int start_row(const struct tsl_spmnorm *nm, struct tsl_spmnorm_run *run,
                     struct tsl_slice text, const uint8_t **p, const uint8_t *stop,
                     struct tsl_err *err)
{
    const uint8_t *end = text.data + text.len;
    struct tsl_slice to;
    bool bad;
    while (nm->remove_extra && *p < stop) {
        size_t used = step(nm, *p, end, &to, &bad);
        if (to.len != 1 || *to.data != ' ')
            break;
        *p += used;
    }
    if (*p >= stop)
        return 0;
    run->started = true;
    run->prev_space = nm->remove_extra;
    int rc = add_seg(run, (size_t)(*p - text.data), false, err);
    if (nm->dummy_front)
        run->bytes[run->len++] = ' ';
    return rc;
}

/* The end of a row: trailing spaces go, the space put behind the rest comes. */
static int end_row(const struct tsl_spmnorm *nm, struct tsl_spmnorm_run *run,
                   struct tsl_err *err)
{
    int rc = 0;
    if (run->certain < run->len) {
        size_t seg = 0;
        uint32_t raw = tsl_spmnorm_raw(run, &seg, run->certain);
        run->len = run->certain;
        run->nsegs = seg + 1;
        rc = add_seg(run, raw, false, err);
    }
    if (nm->dummy_back && rc == 0) {
        size_t seg = run->nsegs - 1;
        rc = add_seg(run, tsl_spmnorm_raw(run, &seg, run->len), false, err);
        if (rc == 0)
            rc = room(run, 1, err);
        if (rc == 0)
            run->bytes[run->len++] = ' ';
    }
    run->certain = run->len;
    return rc;
}

int tsl_spmnorm_text(const struct tsl_spmnorm *nm, struct tsl_spmnorm_run *run,
                     struct tsl_slice text, bool last, struct tsl_err *err)
{
    const uint8_t *p = text.data, *end = p + text.len, *stop = end;
    run->len = run->nsegs = run->certain = 0;
    run->raw = 0;
    int rc = room(run, text.len + 1, err);
    if (!last) /* a step from before stop is sure of its bytes */
        stop = text.len < nm->hold ? text.data : end - (nm->hold - 1);
    if (rc == 0 && !run->started)
        rc = start_row(nm, run, text, &p, stop, err);
    if (rc == 0)
        rc = add_seg(run, (size_t)(p - text.data), true, err);
    while (rc == 0 && p < stop) {
        size_t left = (size_t)(stop - p);
        /* one byte of output for one of input, but for steps, which ask for themselves; the
         * last character may go on for three bytes behind stop */
        if (run->cap - run->len < left + TSL_SPMNORM_PAD + 4)
            rc = room(run, left + 4, err);
        if (rc < 0)
            break;
        struct cursor c = { p, run->bytes + run->len, run->prev_space };
        c = copy_plain(nm, c, stop, end);
        p = c.p;
        run->len = (size_t)(c.q - run->bytes);
        run->prev_space = c.space;
        if (p < stop)
            rc = take_step(nm, run, text, &p, err);
    }
    if (rc < 0)
        return rc;
    run->raw = (size_t)(p - text.data);
    run->certain = run->len;
    while (nm->remove_extra && run->certain && run->bytes[run->certain - 1] == ' ')
        run->certain--;
    if (last && run->started)
        rc = end_row(nm, run, err);
    if (rc == 0)
        memset(run->bytes + run->len, 0xff, TSL_SPMNORM_PAD);
    return rc;
}

bool tsl_spmnorm_resume(const struct tsl_spmnorm *nm, const struct tsl_spmnorm_run *run,
                        struct tsl_slice text, size_t seg, size_t norm, bool *prev_space)
{
    const struct tsl_spmnorm_seg *s = &run->segs[seg];
    struct tsl_slice to;
    size_t last = seg;
    bool bad;
    *prev_space = false;
    if (norm == 0 || (!s->linear && norm > s->norm))
        return false;
    if (!nm->remove_extra || run->bytes[norm - 1] != ' ')
        return true;
    /* a space that was one, or U+2581? */
    while (seg && run->segs[seg].norm > norm - 1)
        seg--;
    size_t at = tsl_spmnorm_raw(run, &(size_t){ last }, norm);
    s = &run->segs[seg];
    size_t raw = s->raw + (s->linear ? norm - 1 - s->norm : 0);
    if (raw == at)
        return false; /* the dummy: nothing of the text lies before */
    step(nm, text.data + raw, text.data + text.len, &to, &bad);
    *prev_space = to.len && to.data[to.len - 1] == ' ';
    return true;
}

void tsl_spmnorm_fini_run(struct tsl_spmnorm_run *run)
{
    tsl_mem_free(run->bytes);
    tsl_mem_free(run->segs);
    *run = (struct tsl_spmnorm_run){ 0 };
}
