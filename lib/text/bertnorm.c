#include "text/bertnorm.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "text/uniprop.h"
#include "text/unitables_py.h"

enum { SIGMA = 0x3a3, SIGMA_SMALL = 0x3c3, SIGMA_FINAL = 0x3c2 };

struct tsl_bertnorm tsl_bertnorm_make(struct tsl_bertnorm n)
{
    if (n.rules != TSL_RULES_HF) {
        n.clean_text = n.handle_chinese_chars = true;
        n.strip_accents = n.lowercase;
    }
    return n;
}

/* ---- what the peers' tables say ------------------------------------------------------ */

static unsigned py_bits(uint32_t cp)
{
    return tsl_pytab_bits_block[tsl_pytab_bits_index[cp >> 8]][cp & 255];
}

static bool is_cjk(const struct tsl_bertnorm *n, uint32_t cp)
{
    if (n->rules == TSL_RULES_HF)
        return tsl_uniprop(cp) & TSL_UNI_BERT_CJK;
    return (cp >= 0x4e00 && cp <= 0x9fff) || (cp >= 0x3400 && cp <= 0x4dbf) ||
           (cp >= 0x20000 && cp <= 0x2a6df) || (cp >= 0x2a700 && cp <= 0x2b73f) ||
           (cp >= 0x2b740 && cp <= 0x2b81f) || (cp >= 0x2b820 && cp <= 0x2ceaf) ||
           (cp >= 0xf900 && cp <= 0xfaff) || (cp >= 0x2f800 && cp <= 0x2fa1f);
}

static bool is_punct(const struct tsl_bertnorm *n, uint32_t cp)
{
    if (n->rules == TSL_RULES_HF)
        return tsl_uniprop(cp) & TSL_UNI_BERT_PUNCT;
    return (cp >= 33 && cp <= 47) || (cp >= 58 && cp <= 64) || (cp >= 91 && cp <= 96) ||
           (cp >= 123 && cp <= 126) || (py_bits(cp) & TSL_UNIPY_PUNCT);
}

static bool is_mark(const struct tsl_bertnorm *n, uint32_t cp)
{
    if (n->rules == TSL_RULES_HF)
        return tsl_uniprop(cp) & TSL_UNI_BERT_MARK;
    return py_bits(cp) & TSL_UNIPY_MARK;
}

static bool is_split(const struct tsl_bertnorm *n, uint32_t cp)
{
    if (n->rules == TSL_RULES_HF)
        return tsl_uniprop(cp) & TSL_UNI_WHITE;
    return py_bits(cp) & TSL_UNIPY_SPLIT;
}

static bool is_dropped(const struct tsl_bertnorm *n, uint32_t cp)
{
    if (n->rules == TSL_RULES_HF)
        return tsl_uniprop(cp) & TSL_UNI_BERT_DROP;
    return cp == 0 || cp == TSL_UTF8_REPLACEMENT || (py_bits(cp) & TSL_UNIPY_CONTROL);
}

static bool is_space(const struct tsl_bertnorm *n, uint32_t cp)
{
    if (n->rules == TSL_RULES_HF)
        return tsl_uniprop(cp) & TSL_UNI_BERT_SPACE;
    return py_bits(cp) & TSL_UNIPY_SPACE;
}

/* The canonical combining class. */
static unsigned class_of(const struct tsl_bertnorm *n, uint32_t cp)
{
    if (n->rules == TSL_RULES_HF && (py_bits(cp) & TSL_UNIPY_HF_UNORDERED))
        return 0;
    return tsl_pytab_class_block[tsl_pytab_class_index[cp >> 8]][cp & 255];
}

enum { DECOMPOSED_MAX = 4 };

static size_t decompose(const struct tsl_bertnorm *n, uint32_t cp,
                        uint32_t out[DECOMPOSED_MAX])
{
    out[0] = cp;
    if (cp < 0xc0)
        return 1;
    if (tsl_uni_is_hangul(cp))
        return tsl_uni_hangul(cp, out);
    /* Hugging Face's tables are older than this one. */
    if (n->rules == TSL_RULES_HF && cp == 0x11938)
        return 1;
    unsigned i = tsl_uni_find(tsl_pytab_nfd_key, tsl_pytab_nfd_count, cp);
    if (i == tsl_pytab_nfd_count)
        return 1;
    size_t len = 0;
    for (unsigned k = tsl_pytab_nfd_start[i]; k < tsl_pytab_nfd_start[i + 1]; k++)
        out[len++] = tsl_pytab_nfd_to[k];
    assert(len <= DECOMPOSED_MAX);
    return len;
}

/* U+03A3 becomes the small one that is not final: the caller knows better. */
static size_t lower(const struct tsl_bertnorm *n, uint32_t cp, uint32_t out[3])
{
    if (n->rules == TSL_RULES_HF)
        return tsl_uni_lower(cp, out);
    out[0] = cp;
    unsigned i = tsl_uni_find(tsl_pytab_lower_key, tsl_pytab_lower_count, cp);
    if (i == tsl_pytab_lower_count)
        return 1;
    size_t len = 0;
    for (unsigned k = tsl_pytab_lower_start[i]; k < tsl_pytab_lower_start[i + 1]; k++)
        out[len++] = tsl_pytab_lower_to[k];
    return len;
}

/* ---- step by step -------------------------------------------------------------------- */

/* One step reads what the last one left in chars->c and leaves its own there.  In between
 * a blank stands for the end of a word, and `first` for "came out of the character before
 * it" (decompose). */

static int begin_step(struct tsl_bertchars *t, size_t need, struct tsl_err *err)
{
    return tsl_mem_grow(&t->order, &t->order_cap, need, sizeof *t->order, "characters",
                        err);
}

static void end_step(struct tsl_bertchars *t, size_t n)
{
    struct tsl_bertchar *c = t->c;
    size_t cap = t->cap;
    t->c = t->order;
    t->cap = t->order_cap;
    t->order = c;
    t->order_cap = cap;
    t->n = n;
}

static int step_decode(struct tsl_bertchars *t, struct tsl_slice text,
                       struct tsl_err *err)
{
    const uint8_t *end = text.data + text.len;
    int rc = tsl_mem_grow(&t->c, &t->cap, text.len + 1, sizeof *t->c, "characters", err);
    if (rc < 0)
        return rc;
    t->n = 0;
    for (const uint8_t *p = text.data; p < end;) {
        struct tsl_bertchar *c = &t->c[t->n++];
        size_t len = tsl_utf8_decode(p, end, &c->cp);
        if (c->cp == TSL_UTF8_BAD) {
            c->cp = TSL_UTF8_REPLACEMENT;
            t->invalid++;
        }
        c->begin = (uint32_t)(p - text.data);
        p += len;
        c->end = (uint32_t)(p - text.data);
        c->first = false;
    }
    return 0;
}

static void step_clean(const struct tsl_bertnorm *n, struct tsl_bertchars *t)
{
    size_t k = 0;
    for (size_t i = 0; i < t->n; i++) {
        struct tsl_bertchar c = t->c[i];
        if (is_dropped(n, c.cp))
            continue;
        if (is_space(n, c.cp))
            c.cp = ' ';
        t->c[k++] = c;
    }
    t->n = k;
}

static int step_cjk(const struct tsl_bertnorm *n, struct tsl_bertchars *t,
                    struct tsl_err *err)
{
    size_t k = 0;
    int rc = begin_step(t, 3 * t->n, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < t->n; i++) {
        struct tsl_bertchar c = t->c[i], blank = c;
        bool pad = is_cjk(n, c.cp);
        blank.cp = ' ';
        if (pad)
            t->order[k++] = blank;
        t->order[k++] = c;
        if (pad)
            t->order[k++] = blank;
    }
    end_step(t, k);
    return 0;
}

/* Stable: first those of the lowest class.  A run may be as long as the text. */
static void sort_classes(const struct tsl_bertnorm *n, struct tsl_bertchar *c, size_t len,
                         struct tsl_bertchar *spare)
{
    if (len <= 16) {
        for (size_t i = 1; i < len; i++) {
            struct tsl_bertchar x = c[i];
            size_t k = i;
            for (; k > 0 && class_of(n, c[k - 1].cp) > class_of(n, x.cp); k--)
                c[k] = c[k - 1];
            c[k] = x;
        }
        return;
    }
    size_t at[257] = { 0 };
    for (size_t i = 0; i < len; i++)
        at[class_of(n, c[i].cp) + 1]++;
    for (size_t i = 1; i < 257; i++)
        at[i] += at[i - 1];
    for (size_t i = 0; i < len; i++)
        spare[at[class_of(n, c[i].cp)]++] = c[i];
    memcpy(c, spare, len * sizeof *c);
}

/* Each run of marks comes into the order of their classes. */
static int sort_marks(const struct tsl_bertnorm *n, struct tsl_bertchar *c, size_t k,
                      struct tsl_err *err)
{
    struct tsl_bertchar *spare = NULL;
    size_t spare_cap = 0;
    int rc = 0;
    for (size_t i = 0; i < k && rc == 0;) {
        size_t end = i;
        bool sorted = true;
        unsigned before = 0;
        while (end < k) {
            unsigned now = class_of(n, c[end].cp);
            if (!now)
                break;
            sorted = sorted && now >= before;
            before = now;
            end++;
        }
        if (!sorted) {
            if (end - i > 16)
                rc = tsl_mem_grow(&spare, &spare_cap, end - i, sizeof *spare,
                                  "characters", err);
            if (rc == 0)
                sort_classes(n, c + i, end - i, spare);
        }
        i = end + (end == i);
    }
    tsl_mem_free(spare);
    return rc;
}

static int step_strip(const struct tsl_bertnorm *n, struct tsl_bertchars *t,
                      struct tsl_err *err)
{
    size_t k = 0, count = 0;
    int rc = begin_step(t, DECOMPOSED_MAX * t->n, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < t->n; i++) {
        uint32_t to[DECOMPOSED_MAX];
        size_t len = decompose(n, t->c[i].cp, to);
        for (size_t j = 0; j < len; j++) {
            struct tsl_bertchar c = t->c[i];
            c.cp = to[j];
            c.first = j > 0;
            t->order[k++] = c;
        }
    }
    /* The peer keeps count of the characters that went in, not of where each one went: in
     * a run that changes its order the places stay, and only the characters move. */
    rc = tsl_mem_grow(&t->c, &t->cap, k > t->n ? k : t->n, sizeof *t->c, "characters",
                      err);
    if (rc < 0)
        return rc;
    size_t in = t->n;
    end_step(t, k); /* t->order: what went in */
    struct tsl_bertchar *from = t->order;
    rc = sort_marks(n, t->c, k, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0, next = 0, out = 0; i < k; i++) {
        struct tsl_bertchar c = t->c[i];
        if (!c.first && next < in)
            next++;
        c.begin = next ? from[next - 1].begin : 0;
        c.end = next ? from[next - 1].end : 0;
        c.first = false;
        if (!is_mark(n, c.cp))
            t->c[out++] = c;
        count = out;
    }
    t->n = count;
    return 0;
}

/* Whether the nearest character before t->c[i] that is not case-ignorable is cased. */
static bool cased_left(const struct tsl_bertchars *t, size_t i, bool before)
{
    while (i > 0 && (py_bits(t->c[i - 1].cp) & TSL_UNIPY_IGNORABLE))
        i--;
    return i ? py_bits(t->c[i - 1].cp) & TSL_UNIPY_CASED : before;
}

static bool cased_right(const struct tsl_bertchars *t, size_t i, bool after)
{
    for (i++; i < t->n && (py_bits(t->c[i].cp) & TSL_UNIPY_IGNORABLE);)
        i++;
    return i < t->n ? py_bits(t->c[i].cp) & TSL_UNIPY_CASED : after;
}

static int step_lower(const struct tsl_bertnorm *n, struct tsl_bertchars *t,
                      struct tsl_bertcontext around, struct tsl_err *err)
{
    size_t k = 0;
    int rc = begin_step(t, 3 * t->n, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < t->n; i++) {
        uint32_t to[3];
        size_t len = lower(n, t->c[i].cp, to);
        if (n->rules != TSL_RULES_HF && t->c[i].cp == SIGMA &&
            cased_left(t, i, around.cased_before) &&
            !cased_right(t, i, around.cased_after))
            to[0] = SIGMA_FINAL;
        for (size_t j = 0; j < len; j++) {
            t->order[k] = t->c[i];
            t->order[k++].cp = to[j];
        }
    }
    end_step(t, k);
    return 0;
}

/* White space goes, `first` gets its meaning. */
static void step_words(const struct tsl_bertnorm *n, struct tsl_bertchars *t)
{
    size_t k = 0;
    bool first = true;
    for (size_t i = 0; i < t->n; i++) {
        struct tsl_bertchar c = t->c[i];
        if (is_split(n, c.cp)) {
            first = true;
            continue;
        }
        bool alone = is_punct(n, c.cp);
        c.first = first || alone;
        first = alone;
        t->c[k++] = c;
    }
    t->n = k;
}

/* bert4keras cleans and looks for Chinese characters when all else is done. */
static int step_bert4keras(const struct tsl_bertnorm *n, struct tsl_bertchars *t,
                           struct tsl_err *err)
{
    int rc = step_cjk(n, t, err);
    if (rc < 0)
        return rc;
    size_t k = 0;
    for (size_t i = 0; i < t->n; i++) {
        struct tsl_bertchar c = t->c[i];
        if (!is_punct(n, c.cp) && !is_cjk(n, c.cp)) {
            if (is_space(n, c.cp))
                c.cp = ' ';
            else if (is_dropped(n, c.cp))
                continue;
        }
        t->c[k++] = c;
    }
    t->n = k;
    return 0;
}

int tsl_bertnorm_chars(const struct tsl_bertnorm *n, struct tsl_slice text,
                       struct tsl_bertcontext around, struct tsl_bertchars *t,
                       struct tsl_err *err)
{
    assert(text.len < UINT32_MAX);
    bool hf = n->rules == TSL_RULES_HF, late = n->rules == TSL_RULES_BERT4KERAS;
    int rc = step_decode(t, text, err);
    if (rc == 0 && n->clean_text && !late)
        step_clean(n, t);
    if (rc == 0 && n->handle_chinese_chars && !late)
        rc = step_cjk(n, t, err);
    if (rc == 0 && n->lowercase && !hf)
        rc = step_lower(n, t, around, err);
    if (rc == 0 && n->strip_accents)
        rc = step_strip(n, t, err);
    if (rc == 0 && n->lowercase && hf)
        rc = step_lower(n, t, around, err);
    if (rc == 0 && late)
        rc = step_bert4keras(n, t, err);
    if (rc == 0)
        step_words(n, t);
    return rc;
}

void tsl_bertchars_fini(struct tsl_bertchars *t)
{
    tsl_mem_free(t->c);
    tsl_mem_free(t->order);
    *t = (struct tsl_bertchars){ 0 };
}

/* ---- the end of a word, in text as it stands ----------------------------------------- */

enum context { CONTEXT_SKIP, CONTEXT_CASED, CONTEXT_OTHER };

static enum context context_of(const struct tsl_bertnorm *n, uint32_t cp)
{
    if (cp == TSL_UTF8_BAD)
        cp = TSL_UTF8_REPLACEMENT;
    if (n->rules == TSL_RULES_GOOGLE && is_dropped(n, cp))
        return CONTEXT_SKIP; /* cleaned away before it comes to case */
    unsigned bits = py_bits(cp);
    return bits & TSL_UNIPY_IGNORABLE ? CONTEXT_SKIP
           : bits & TSL_UNIPY_CASED   ? CONTEXT_CASED
                                      : CONTEXT_OTHER;
}

/* Whether the nearest character of text[0, len) that is not skipped is cased. */
static bool cased_behind(const struct tsl_bertnorm *n, const uint8_t *text, size_t len,
                         bool before)
{
    for (size_t at = len; at > 0;) {
        /* the character that ends at `at`; bytes of none are U+FFFD */
        uint32_t cp = TSL_UTF8_BAD;
        size_t size = 1;
        for (size_t k = 1; k <= 4 && k <= at; k++) {
            uint32_t c;
            if (tsl_utf8_decode(text + at - k, text + at, &c) == k && c != TSL_UTF8_BAD) {
                cp = c;
                size = k;
                break;
            }
        }
        enum context x = context_of(n, cp);
        if (x != CONTEXT_SKIP)
            return x == CONTEXT_CASED;
        at -= size;
    }
    return before;
}

static bool cased_ahead(const struct tsl_bertnorm *n, const uint8_t *p,
                        const uint8_t *end, bool after)
{
    while (p < end) {
        uint32_t cp;
        p += tsl_utf8_decode(p, end, &cp);
        enum context x = context_of(n, cp);
        if (x != CONTEXT_SKIP)
            return x == CONTEXT_CASED;
    }
    return after;
}

struct tsl_bertcontext tsl_bertnorm_context(const struct tsl_bertnorm *n,
                                            struct tsl_slice text, size_t begin,
                                            size_t end, struct tsl_bertcontext around)
{
    if (n->rules == TSL_RULES_HF || !n->lowercase)
        return around;
    return (struct tsl_bertcontext){
        .cased_before = cased_behind(n, text.data, begin, around.cased_before),
        .cased_after =
            cased_ahead(n, text.data + end, text.data + text.len, around.cased_after),
    };
}

uint32_t tsl_bertnorm_sigma(const struct tsl_bertnorm *n, struct tsl_slice text,
                            size_t at, struct tsl_bertcontext around)
{
    around = tsl_bertnorm_context(n, text, at, at + 2, around);
    return around.cased_before && !around.cased_after ? SIGMA_FINAL : SIGMA_SMALL;
}

/* ---- one code point ------------------------------------------------------------------ */

bool tsl_bertnorm_is_sign(const struct tsl_bertnorm *n, uint32_t cp)
{
    return is_punct(n, cp) || is_cjk(n, cp);
}

/* Of each 256 code points, a bit: lower case or NFD changes some of them.  Told without a
 * search for all the others; Hangul syllables are not counted. */
static const uint64_t maps[] = {
    UINT64_C(0x0001141fd809be7f),
    0,
    UINT64_C(0x000000c000000000),
    UINT64_C(0x8e00000000000000),
    UINT64_C(0x00000000033b3030),
    UINT64_C(0x0000400000000000),
    0,
    UINT64_C(0x0000020000020000),
    0,
    0,
    0,
    UINT64_C(0x0700000000000000),
};

static bool has_maps(uint32_t cp)
{
    return cp >> 14 < sizeof maps / sizeof *maps &&
           (maps[cp >> 14] >> (cp >> 8 & 63) & 1);
}

static bool is_changed(const struct tsl_bertnorm *n, uint32_t cp)
{
    uint32_t to[DECOMPOSED_MAX];
    if (tsl_uni_is_hangul(cp))
        return n->strip_accents;
    if (n->strip_accents && (class_of(n, cp) || is_mark(n, cp)))
        return true;
    if (!has_maps(cp))
        return false;
    if (n->strip_accents && (decompose(n, cp, to) != 1 || to[0] != cp))
        return true;
    return n->lowercase && (lower(n, cp, to) != 1 || to[0] != cp);
}

/* What HF's table says, or the same of Python's. */
static uint32_t props_of(const struct tsl_bertnorm *n, uint32_t cp)
{
    if (n->rules == TSL_RULES_HF)
        return tsl_uniprop(cp);
    return (is_dropped(n, cp) ? TSL_UNI_BERT_DROP : 0U) |
           (is_space(n, cp) ? TSL_UNI_BERT_SPACE : 0U) |
           (is_punct(n, cp) ? TSL_UNI_BERT_PUNCT : 0U) |
           (is_cjk(n, cp) ? TSL_UNI_BERT_CJK : 0U) |
           (is_split(n, cp) ? TSL_UNI_WHITE : 0U);
}

bool tsl_bertnorm_cuts(const struct tsl_bertnorm *n, uint32_t cp)
{
    return n->rules == TSL_RULES_HF || !n->lowercase ||
           !(py_bits(cp) & (TSL_UNIPY_IGNORABLE | TSL_UNIPY_CASED));
}

/* A character that no step makes another one. */
static void fold_unchanged(const struct tsl_bertnorm *n, uint32_t cp, uint32_t props,
                           struct tsl_bertfold *f)
{
    if ((props & TSL_UNI_BERT_PUNCT) ||
        (n->handle_chinese_chars && (props & TSL_UNI_BERT_CJK))) {
        f->kind = TSL_BERTFOLD_ALONE;
        f->cp = cp;
    } else if (n->clean_text && (props & TSL_UNI_BERT_SPACE)) {
        f->kind = TSL_BERTFOLD_SPACE;
    } else if (n->clean_text && (props & TSL_UNI_BERT_DROP)) {
        f->kind = TSL_BERTFOLD_DROP;
    } else if (props & TSL_UNI_WHITE) {
        f->kind = TSL_BERTFOLD_SPACE;
    }
}

/* Any other: it is put between two letters, to see. */
static int fold_between(const struct tsl_bertnorm *n, uint32_t cp,
                        struct tsl_bertchars *t, struct tsl_bertfold *f,
                        struct tsl_err *err)
{
    uint8_t text[6] = { 'a' };
    size_t len = tsl_utf8_encode(text + 1, cp);
    text[1 + len] = 'a';
    int rc = tsl_bertnorm_chars(n, (struct tsl_slice){ text, len + 2 },
                                (struct tsl_bertcontext){ false, false }, t, err);
    if (rc < 0)
        return rc;
    assert(t->n >= 2 && t->c[0].cp == 'a' && t->c[t->n - 1].cp == 'a');
    size_t firsts = 0;
    bool moves = false;
    for (size_t i = 1; i < t->n; i++)
        firsts += t->c[i].first;
    for (size_t i = 1; i + 1 < t->n; i++)
        moves = moves || (n->strip_accents && class_of(n, t->c[i].cp));

    if (moves) {
        f->kind = TSL_BERTFOLD_MIXED;
    } else if (t->n == 2) {
        f->kind = firsts ? TSL_BERTFOLD_SPACE : TSL_BERTFOLD_DROP;
    } else if (t->n == 3 && firsts == 2) {
        f->kind = TSL_BERTFOLD_ALONE;
        f->cp = t->c[1].cp;
    } else if (firsts || (t->n - 2) * 4 > TSL_BERTFOLD_BYTES) {
        f->kind = TSL_BERTFOLD_MIXED;
    } else {
        f->kind = TSL_BERTFOLD_WORD;
        for (size_t i = 1; i + 1 < t->n; i++)
            f->len = (uint8_t)(f->len + tsl_utf8_encode(f->bytes + f->len, t->c[i].cp));
        if (f->len == len && !memcmp(f->bytes, text + 1, len))
            f->kind = TSL_BERTFOLD_SAME;
    }
    return 0;
}

int tsl_bertnorm_fold(const struct tsl_bertnorm *n, uint32_t cp, struct tsl_bertchars *t,
                      struct tsl_bertfold *f, struct tsl_err *err)
{
    *f = (struct tsl_bertfold){ .kind = TSL_BERTFOLD_SAME };
    bool late = n->rules == TSL_RULES_BERT4KERAS;
    uint32_t props = props_of(n, cp);
    if (n->clean_text && !late && (props & TSL_UNI_BERT_DROP)) {
        f->kind = TSL_BERTFOLD_DROP;
        return 0;
    }
    f->cut = tsl_bertnorm_cuts(n, cp);
    if (!is_changed(n, cp)) {
        fold_unchanged(n, cp, props, f);
        return 0;
    }
    if (tsl_uni_is_hangul(cp)) { /* many, and Jamo are letters whatever the rules */
        uint32_t to[DECOMPOSED_MAX];
        size_t count = decompose(n, cp, to);
        f->kind = TSL_BERTFOLD_WORD;
        for (size_t i = 0; i < count; i++)
            f->len = (uint8_t)(f->len + tsl_utf8_encode(f->bytes + f->len, to[i]));
        return 0;
    }
    if (n->rules != TSL_RULES_HF && n->lowercase && cp == SIGMA) {
        f->kind = TSL_BERTFOLD_SIGMA;
        return 0;
    }
    return fold_between(n, cp, t, f, err);
}
