#include "text/unitext.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

enum {
    NCODE = 0x110000,
    UNK_CHAR = 0x2585 /* stands for what is not covered, in SentencePiece's own text */
};

/* A word's characters are counted in doubles and 64 bits, with their lengths. */
static const uint64_t CHARS_MAX = (uint64_t)1 << 53;

static void keep_peak(struct tsl_unimem *m, size_t held)
{
    size_t peak = atomic_load(&m->peak);
    while (held > peak && !atomic_compare_exchange_weak(&m->peak, &peak, held))
        ;
}

void *tsl_unimem_take(struct tsl_unimem *m, size_t count, size_t size, const char *what,
                      struct tsl_err *err)
{
    size_t bytes, held;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > m->limit) {
        tsl_err_set(err, TSL_ENOMEM,
                    "training a vocabulary: %s alone takes %zu items of %zu bytes, more "
                    "than the %zu bytes of memory it was given",
                    what, count, size, m->limit);
        return NULL;
    }
    held = atomic_fetch_add(&m->held, bytes) + bytes;
    if (held > m->limit) {
        atomic_fetch_sub(&m->held, bytes);
        tsl_err_set(
            err, TSL_ENOMEM,
            "training a vocabulary: with %s it takes more than %zu bytes, and was "
            "given %zu; leave out rare words, or give it more memory",
            what, held, m->limit);
        return NULL;
    }
    void *p = tsl_mem_alloc(count, size, what, err);
    if (!p)
        atomic_fetch_sub(&m->held, bytes);
    else
        keep_peak(m, held);
    return p;
}

void tsl_unimem_give(struct tsl_unimem *m, void *p, size_t count, size_t size)
{
    if (!p)
        return;
    atomic_fetch_sub(&m->held, count * size);
    tsl_mem_free(p);
}

int tsl_unichar_compare(const void *a, const void *b)
{
    const struct tsl_unichar *x = *(const struct tsl_unichar *const *)a;
    const struct tsl_unichar *y = *(const struct tsl_unichar *const *)b;
    if (x->wanted != y->wanted)
        return x->wanted ? -1 : 1;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return x->cp < y->cp ? -1 : x->cp > y->cp;
}

/* Word i of the list without the NUL that may mark it. */
static struct tsl_slice word_at(const struct tsl_wordlist *list, size_t i, bool marks,
                                bool *last)
{
    struct tsl_slice w = tsl_wordlist_at(list, i);
    *last = marks && w.len && w.data[w.len - 1] == 0;
    w.len -= *last;
    return w;
}

/* May this character be in a text at all?  U+0000, a blank and U+2585 may not. */
static bool is_char(uint32_t cp)
{
    return cp != 0 && cp != ' ' && cp != UNK_CHAR && cp < NCODE;
}

/* Characters by code point, as they are counted. */
struct tally {
    uint64_t *counts; /* NCODE of them */
    uint64_t all;
    uint32_t end; /* behind the highest that came or is wanted */
};

/* Adds up the list's characters by code point. */
static int count_chars(const struct tsl_wordlist *list, bool marks, struct tally *tally,
                       size_t *nsyms, struct tsl_err *err)
{
    uint64_t with_ends = 0;
    *nsyms = 0;
    for (size_t i = 0; i < list->n; i++) {
        bool last;
        struct tsl_slice w = word_at(list, i, marks, &last);
        size_t len = 0, known = 0;
        for (const uint8_t *p = w.data, *end = p + w.len; p < end; len++) {
            uint32_t cp;
            p += tsl_utf8_decode(p, end, &cp);
            if (is_char(cp)) {
                tally->counts[cp] += list->count[i];
                tally->end = cp >= tally->end ? cp + 1 : tally->end;
                known++;
            }
        }
        uint64_t add;
        if (__builtin_mul_overflow(list->count[i], (uint64_t)len + 1, &add) ||
            add > CHARS_MAX || (with_ends += add) > CHARS_MAX)
            return tsl_err_set(err, TSL_EFORMAT,
                               "training a vocabulary: counted words of more than 2^53 "
                               "characters");
        tally->all += list->count[i] * known;
        *nsyms += len + 1;
    }
    if (*nsyms >= UINT32_MAX)
        return tsl_err_set(err, TSL_EUSAGE,
                           "training a vocabulary: different words of %zu characters; "
                           "2^32 are too many, leave out rare ones",
                           *nsyms);
    return 0;
}

/* Marks the characters of opts.required_chars in wanted. */
static size_t want_chars(struct tsl_slice chars, struct tally *tally, uint8_t *wanted)
{
    size_t n = 0;
    for (const uint8_t *p = chars.data, *end = p + chars.len; p < end;) {
        uint32_t cp;
        p += tsl_utf8_decode(p, end, &cp);
        if (!is_char(cp) || wanted[cp])
            continue;
        wanted[cp] = 1;
        tally->end = cp >= tally->end ? cp + 1 : tally->end;
        n += tally->counts[cp] == 0;
    }
    return n;
}

static int by_code(const void *a, const void *b)
{
    const struct tsl_unichar *x = a, *y = b;
    return x->cp < y->cp ? -1 : x->cp > y->cp;
}

/* Keeps of all n characters those that cover enough, sorted by code point.  The share is
 * compared as float, as there. */
static void cover(struct tsl_unitext *t, struct tsl_unichar **order, size_t n,
                  uint64_t all, double coverage)
{
    uint64_t sum = 0;
    qsort(order, n, sizeof *order, tsl_unichar_compare);
    for (size_t i = 0; i < n; i++) {
        if (all && (float)((double)sum / (double)all) >= (float)coverage)
            break;
        sum += order[i]->count;
        order[i]->kept = order[i]->cp != '\t'; /* a cut between words */
    }
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (t->chars[i].kept)
            t->chars[k++] = t->chars[i];
    qsort(t->chars, k, sizeof *t->chars, by_code);
    t->nchars = k;
    t->covered = all ? (double)sum / (double)all : 1;
}

static int find_alphabet(struct tsl_unitext *t, struct tally *tally,
                         struct tsl_slice required, double coverage,
                         struct tsl_unimem *mem, struct tsl_err *err)
{
    size_t n = 0, k = 0;
    struct tsl_unichar **order = NULL;
    uint8_t *wanted = tsl_unimem_take(mem, NCODE, 1, "characters", err);
    if (!wanted)
        return TSL_ENOMEM;
    n = want_chars(required, tally, wanted);
    for (uint32_t cp = 0; cp < tally->end; cp++)
        n += tally->counts[cp] > 0;
    t->chars = tsl_unimem_take(mem, n, sizeof *t->chars, "characters", err);
    t->nchars_taken = n;
    order = tsl_unimem_take(mem, n, sizeof *order, "characters", err);
    if (t->chars && order) {
        for (uint32_t cp = 0; cp < tally->end; cp++)
            if (tally->counts[cp] || wanted[cp]) {
                t->chars[k] = (struct tsl_unichar){ .count = tally->counts[cp],
                                                    .cp = cp,
                                                    .wanted = wanted[cp] };
                order[k] = &t->chars[k];
                k++;
            }
        cover(t, order, n, tally->all, coverage);
    }
    tsl_unimem_give(mem, wanted, NCODE, 1);
    tsl_unimem_give(mem, order, n, sizeof *order);
    return t->chars && order ? 0 : TSL_ENOMEM;
}

/* Fills in words: sym_of gives a code point's symbol, 0: it has none. */
static void put_words(struct tsl_unitext *t, const struct tsl_wordlist *list, bool marks,
                      const uint32_t *sym_of)
{
    struct tsl_slice before = { NULL, 0 };
    size_t at = 0, n = 0;
    for (size_t i = 0; i < list->n; i++) {
        bool last;
        struct tsl_slice w = word_at(list, i, marks, &last);
        uint64_t count = list->count[i];
        /* The list is sorted: a word with its mark stands right behind the same without. */
        if (!w.len)
            continue;
        t->total += count;
        if (n && last && before.len == w.len && memcmp(before.data, w.data, w.len) == 0) {
            t->count[n - 1] += count;
            t->last[n - 1] += count;
            continue;
        }
        before = w;
        t->begin[n] = (uint32_t)at;
        t->count[n] = count;
        t->last[n++] = last ? count : 0;
        for (const uint8_t *p = w.data, *end = p + w.len; p < end;) {
            uint32_t cp;
            p += tsl_utf8_decode(p, end, &cp);
            uint32_t sym = cp < NCODE ? sym_of[cp] : 0;
            t->syms[at++] = sym ? sym : TSL_UNI_UNK;
        }
        if (at - t->begin[n - 1] > t->longest)
            t->longest = at - t->begin[n - 1];
        t->syms[at++] = TSL_UNI_END;
    }
    t->begin[n] = (uint32_t)at;
    t->nwords = n;
    t->nsyms = at;
}

/* The last step: counts and everything else are known. */
static int make_words(struct tsl_unitext *t, const struct tsl_wordlist *list, bool marks,
                      uint32_t *sym_of, struct tsl_unimem *mem, struct tsl_err *err)
{
    for (size_t i = 0; i < t->nchars; i++)
        sym_of[t->chars[i].cp] = (uint32_t)i + TSL_UNI_FIRST;
    t->syms = tsl_unimem_take(mem, t->nsyms_taken, sizeof *t->syms, "words", err);
    t->begin = tsl_unimem_take(mem, list->n + 1, sizeof *t->begin, "words", err);
    t->count = tsl_unimem_take(mem, list->n, sizeof *t->count, "words", err);
    t->last = tsl_unimem_take(mem, list->n, sizeof *t->last, "words", err);
    t->nlist = list->n;
    if (!t->syms || !t->begin || !t->count || !t->last)
        return TSL_ENOMEM;
    put_words(t, list, marks, sym_of);
    return 0;
}

int tsl_unitext_init(struct tsl_unitext *t, const struct tsl_wordlist *list,
                     const struct tsl_unitrain_opts *o, struct tsl_unimem *mem,
                     struct tsl_err *err)
{
    struct tally tally = { 0 };
    uint32_t *sym_of = NULL;
    int rc = TSL_ENOMEM;
    *t = (struct tsl_unitext){ 0 };
    tally.counts = tsl_unimem_take(mem, NCODE, sizeof *tally.counts, "characters", err);
    if (!tally.counts)
        goto out;
    rc = count_chars(list, o->line_ends, &tally, &t->nsyms_taken, err);
    if (rc == 0)
        rc = find_alphabet(t, &tally, o->required_chars, o->coverage, mem, err);
    if (rc < 0)
        goto out;
    if (!t->nchars) {
        rc = tsl_err_set(err, TSL_EUSAGE, "training a vocabulary: there are no words");
        goto out;
    }
    rc = TSL_ENOMEM;
    sym_of = tsl_unimem_take(mem, NCODE, sizeof *sym_of, "characters", err);
    if (sym_of)
        rc = make_words(t, list, o->line_ends, sym_of, mem, err);
out:
    tsl_unimem_give(mem, tally.counts, NCODE, sizeof *tally.counts);
    tsl_unimem_give(mem, sym_of, NCODE, sizeof *sym_of);
    if (rc < 0)
        tsl_unitext_fini(t, mem);
    return rc;
}

void tsl_unitext_fini(struct tsl_unitext *t, struct tsl_unimem *mem)
{
    tsl_unimem_give(mem, t->syms, t->nsyms_taken, sizeof *t->syms);
    tsl_unimem_give(mem, t->begin, t->nlist + 1, sizeof *t->begin);
    tsl_unimem_give(mem, t->count, t->nlist, sizeof *t->count);
    tsl_unimem_give(mem, t->last, t->nlist, sizeof *t->last);
    tsl_unimem_give(mem, t->chars, t->nchars_taken, sizeof *t->chars);
    *t = (struct tsl_unitext){ 0 };
}
