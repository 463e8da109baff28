#include "text/normalizer.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "text/bytealpha.h"
#include "text/charsmap.h"
#include "text/splitregex.h"
#include "text/uniprop.h"

enum kind {
    BERT,
    FORM,
    LOWERCASE,
    STRIP,
    STRIP_ACCENTS,
    NMT,
    PRECOMPILED,
    PREPEND,
    REPLACE,
    REPLACE_REGEX,
    BYTE_LEVEL,
    SEQUENCE
};

struct tsl_normalizer {
    enum kind kind;
    bool clean_text, handle_chinese_chars, strip_accents, lowercase; /* BERT */
    bool left, right;                                                /* STRIP */
    enum tsl_normform form;
    struct tsl_charsmap charsmap;
    struct tsl_splitregex *regex;
    bool blanks; /* the regex takes two blanks and more */
    /* pattern: PRECOMPILED's blob, REPLACE's text; content: what is put there. */
    struct tsl_slice pattern, content;
    struct tsl_normalizer **parts;
    size_t nparts, cap;
};

static bool is(struct tsl_slice s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.data, text, s.len) == 0;
}

/* Nothing there that could join what stands before or behind it. */
static bool is_plain(struct tsl_slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] >= 0x80)
            return is(s, "\xe2\x96\x81");
    return true;
}

/* ---- building --------------------------------------------------------------------------- */

static struct tsl_normalizer *create(enum kind kind, struct tsl_err *err)
{
    struct tsl_normalizer *n = tsl_mem_alloc(1, sizeof *n, "a normalizer", err);
    if (n)
        n->kind = kind;
    return n;
}

/* to becomes a copy of from. */
static int copy(struct tsl_slice *to, struct tsl_slice from, struct tsl_err *err)
{
    uint8_t *p = tsl_mem_alloc(from.len + 1, 1, "a normalizer's text", err);
    if (!p)
        return TSL_ENOMEM;
    if (from.len > 0)
        memcpy(p, from.data, from.len);
    *to = (struct tsl_slice){ p, from.len };
    return 0;
}

static int copy_utf8(struct tsl_slice *to, struct tsl_slice from, struct tsl_err *err)
{
    for (const uint8_t *p = from.data, *end = p + from.len; p < end;) {
        uint32_t cp;
        p += tsl_utf8_decode(p, end, &cp);
        if (cp == TSL_UTF8_BAD)
            return tsl_err_set(err, TSL_EFORMAT, "a normalizer's text is not UTF-8");
    }
    return copy(to, from, err);
}

/* n, or NULL where rc says that it failed. */
static struct tsl_normalizer *built(struct tsl_normalizer *n, int rc)
{
    if (rc == 0)
        return n;
    tsl_normalizer_destroy(n);
    return NULL;
}

struct tsl_normalizer *tsl_normalizer_create_bert(bool clean_text,
                                                  bool handle_chinese_chars,
                                                  bool strip_accents, bool lowercase,
                                                  struct tsl_err *err)
{
    struct tsl_normalizer *n = create(BERT, err);
    if (n) {
        n->clean_text = clean_text;
        n->handle_chinese_chars = handle_chinese_chars;
        n->strip_accents = strip_accents;
        n->lowercase = lowercase;
    }
    return n;
}

struct tsl_normalizer *tsl_normalizer_create_form(enum tsl_normform form,
                                                  struct tsl_err *err)
{
    struct tsl_normalizer *n = create(FORM, err);
    if (n)
        n->form = form;
    return n;
}

struct tsl_normalizer *tsl_normalizer_create_lowercase(struct tsl_err *err)
{
    return create(LOWERCASE, err);
}

struct tsl_normalizer *tsl_normalizer_create_strip(bool left, bool right,
                                                   struct tsl_err *err)
{
    struct tsl_normalizer *n = create(STRIP, err);
    if (n) {
        n->left = left;
        n->right = right;
    }
    return n;
}

struct tsl_normalizer *tsl_normalizer_create_strip_accents(struct tsl_err *err)
{
    return create(STRIP_ACCENTS, err);
}

struct tsl_normalizer *tsl_normalizer_create_nmt(struct tsl_err *err)
{
    return create(NMT, err);
}

struct tsl_normalizer *tsl_normalizer_create_precompiled(struct tsl_slice charsmap,
                                                         struct tsl_err *err)
{
    struct tsl_normalizer *n = create(PRECOMPILED, err);
    if (!n)
        return NULL;
    int rc = copy(&n->pattern, charsmap, err);
    if (rc == 0)
        rc = tsl_charsmap_open(&n->charsmap, n->pattern, err);
    return built(n, rc);
}

struct tsl_normalizer *tsl_normalizer_create_prepend(struct tsl_slice prepend,
                                                     struct tsl_err *err)
{
    struct tsl_normalizer *n = create(PREPEND, err);
    return n ? built(n, copy_utf8(&n->content, prepend, err)) : NULL;
}

struct tsl_normalizer *tsl_normalizer_create_replace(struct tsl_slice pattern,
                                                     struct tsl_slice content,
                                                     struct tsl_err *err)
{
    struct tsl_normalizer *n = create(REPLACE, err);
    if (!n)
        return NULL;
    int rc = copy_utf8(&n->pattern, pattern, err);
    if (rc == 0)
        rc = copy_utf8(&n->content, content, err);
    return built(n, rc);
}

struct tsl_normalizer *tsl_normalizer_create_replace_regex(struct tsl_slice pattern,
                                                           struct tsl_slice content,
                                                           struct tsl_err *err)
{
    struct tsl_normalizer *n = create(REPLACE_REGEX, err);
    if (!n)
        return NULL;
    n->regex = tsl_splitregex_create(pattern, err);
    n->blanks = is(pattern, " {2,}") && is_plain(content);
    return built(n, n->regex ? copy_utf8(&n->content, content, err) : TSL_EFORMAT);
}

struct tsl_normalizer *tsl_normalizer_create_byte_level(struct tsl_err *err)
{
    return create(BYTE_LEVEL, err);
}

struct tsl_normalizer *tsl_normalizer_create_sequence(struct tsl_err *err)
{
    return create(SEQUENCE, err);
}

int tsl_normalizer_append(struct tsl_normalizer *sequence, struct tsl_normalizer *part,
                          struct tsl_err *err)
{
    if (!part)
        return err && err->code ? err->code : TSL_ENOMEM;
    int rc = tsl_mem_grow(&sequence->parts, &sequence->cap, sequence->nparts + 1,
                          sizeof *sequence->parts, "normalizers", err);
    if (rc < 0) {
        tsl_normalizer_destroy(part);
        return rc;
    }
    sequence->parts[sequence->nparts++] = part;
    return 0;
}

void tsl_normalizer_destroy(struct tsl_normalizer *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->nparts; i++)
        tsl_normalizer_destroy(n->parts[i]);
    tsl_mem_free(n->parts);
    tsl_splitregex_destroy(n->regex);
    tsl_mem_free((void *)n->pattern.data);
    tsl_mem_free((void *)n->content.data);
    tsl_mem_free(n);
}

/* ---- applying --------------------------------------------------------------------------- */

static void swap(struct tsl_atext *a, struct tsl_atext *b)
{
    struct tsl_atext t = *a;
    *a = *b;
    *b = t;
}

/* The steps that look at one character alone.  What they write keeps its source. */
enum step { CLEAN, CHINESE, DROP_BERT_MARK, LOWER, DROP_MARK, NMT_CLEAN, BYTES };

static int put_step(enum step step, uint32_t cp, struct tsl_atext *to, uint32_t begin,
                    uint32_t end, struct tsl_err *err)
{
    uint32_t is = tsl_uniprop(cp), lower[3];
    uint8_t utf8[4];
    size_t n;
    int rc = 0;
    switch (step) {
    case CLEAN:
        if (is & TSL_UNI_BERT_DROP)
            return 0;
        return tsl_atext_put(to, is & TSL_UNI_BERT_SPACE ? ' ' : cp, begin, end, err);
    case CHINESE:
        if (!(is & TSL_UNI_BERT_CJK))
            break;
        rc = tsl_atext_put(to, ' ', begin, end, err);
        if (rc == 0)
            rc = tsl_atext_put(to, cp, begin, end, err);
        return rc < 0 ? rc : tsl_atext_put(to, ' ', begin, end, err);
    case DROP_BERT_MARK:
        if (is & TSL_UNI_BERT_MARK)
            return 0;
        break;
    case LOWER:
        n = tsl_uni_lower(cp, lower);
        for (size_t i = 0; rc == 0 && i < n; i++)
            rc = tsl_atext_put(to, lower[i], begin, end, err);
        return rc;
    case DROP_MARK:
        if (is & TSL_UNI_MARK)
            return 0;
        break;
    case NMT_CLEAN:
        if (is & TSL_UNI_NMT_DROP)
            return 0;
        return tsl_atext_put(to, is & TSL_UNI_NMT_SPACE ? ' ' : cp, begin, end, err);
    case BYTES:
        n = tsl_utf8_encode(utf8, cp);
        for (size_t i = 0; rc == 0 && i < n; i++)
            rc = tsl_atext_put(to, tsl_bytealpha_char(utf8[i]), begin, end, err);
        return rc;
    }
    return tsl_atext_put(to, cp, begin, end, err);
}

static int each(enum step step, struct tsl_atext *text, struct tsl_atext *scratch,
                struct tsl_err *err)
{
    const uint8_t *end = text->bytes + text->len;
    int rc = 0;
    tsl_atext_reset(scratch);
    scratch->origin = text->origin;
    for (size_t at = 0; rc == 0 && at < text->len;) {
        uint32_t cp;
        size_t n = tsl_utf8_decode(text->bytes + at, end, &cp);
        rc = put_step(step, cp, scratch, text->begin[at], text->end[at], err);
        at += n;
    }
    swap(text, scratch);
    return rc;
}

static int form(enum tsl_normform form, struct tsl_atext *text, struct tsl_atext *scratch,
                struct tsl_err *err)
{
    int rc = tsl_normform_apply(form, text, scratch, err);
    swap(text, scratch);
    return rc;
}

static int bert(const struct tsl_normalizer *n, struct tsl_atext *text,
                struct tsl_atext *scratch, struct tsl_err *err)
{
    int rc = 0;
    if (n->clean_text)
        rc = each(CLEAN, text, scratch, err);
    if (rc == 0 && n->handle_chinese_chars)
        rc = each(CHINESE, text, scratch, err);
    if (rc == 0 && n->strip_accents)
        rc = form(TSL_NFD, text, scratch, err);
    if (rc == 0 && n->strip_accents)
        rc = each(DROP_BERT_MARK, text, scratch, err);
    if (rc == 0 && n->lowercase)
        rc = each(LOWER, text, scratch, err);
    return rc;
}

/* Bytes [from, to) of text, and nothing else. */
static void cut(struct tsl_atext *text, size_t from, size_t to)
{
    size_t n = to - from;
    if (n > 0 && from > 0) {
        memmove(text->bytes, text->bytes + from, n);
        memmove(text->begin, text->begin + from, n * sizeof *text->begin);
        memmove(text->end, text->end + from, n * sizeof *text->end);
    }
    text->len = n;
}

static void strip(bool left, bool right, struct tsl_atext *text)
{
    const uint8_t *p = text->bytes, *end = p + text->len, *first = p, *behind = p;
    bool all = true; /* what was seen is white space */
    while (p < end) {
        uint32_t cp;
        const uint8_t *at = p;
        p += tsl_utf8_decode(p, end, &cp);
        if (tsl_uniprop(cp) & TSL_UNI_WHITE)
            continue;
        if (all)
            first = at;
        all = false;
        behind = p;
    }
    if (all && (left || right))
        text->len = 0;
    else
        cut(text, left ? (size_t)(first - text->bytes) : 0,
            right ? (size_t)(behind - text->bytes) : text->len);
}

static size_t count_chars(struct tsl_slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += (s.data[i] & 0xc0) != 0x80;
    return n;
}

/* Changes of a replacement as the peer books them: the n-th character of the old part goes
 * to the n-th of the new one; what the new one has more is new, and what it has less is
 * removed with the last.  Nothing is removed where there is no last: the sources of what
 * follows are late then, in the peer, too. */
struct precompiled {
    struct tsl_arewrite out;
    bool has_last;
    uint32_t last; /* not written yet, for its change may still come down */
    int change;
    struct tsl_err *err;
};

static int push(struct precompiled *x, uint32_t cp, int change)
{
    int rc = x->has_last ? tsl_arewrite_put(&x->out, x->last, x->change, x->err) : 0;
    x->has_last = true;
    x->last = cp;
    x->change = change;
    return rc;
}

static int push_replacement(struct precompiled *x, struct tsl_slice old,
                            struct tsl_slice new)
{
    size_t nold = count_chars(old), nnew = count_chars(new), i = 0;
    for (const uint8_t *p = new.data, *end = p + new.len; p < end; i++) {
        uint32_t cp;
        p += tsl_utf8_decode(p, end, &cp);
        int rc = push(x, cp, i < nold ? 0 : 1);
        if (rc < 0)
            return rc;
    }
    if (nnew < nold && x->has_last)
        x->change -= (int)(nold - nnew);
    return 0;
}

/* Hugging Face's Precompiled goes by grapheme cluster.  One of less than six bytes becomes
 * what its shortest key becomes, even where that key is but a part of it; in longer ones,
 * or where there is no key, each character is looked up. */
static int precompiled(const struct tsl_charsmap *m, struct tsl_atext *text,
                       struct tsl_atext *scratch, struct tsl_err *err)
{
    enum { CLUSTER_MAX = 6 };
    struct precompiled x = { .err = err };
    const uint8_t *p = text->bytes, *end = p + text->len;
    int rc = 0;
    tsl_arewrite_begin(&x.out, text, scratch);
    while (rc == 0 && p < end) {
        struct tsl_slice cluster = { p, tsl_normform_grapheme(p, (size_t)(end - p)) };
        struct tsl_slice new;
        const uint8_t *stop = p + cluster.len;
        size_t used;
        if (cluster.len < CLUSTER_MAX &&
            tsl_charsmap_match_shortest(m, p, cluster.len, &used, &new)) {
            rc = push_replacement(&x, cluster, new);
            p = stop;
        }
        while (rc == 0 && p < stop) {
            uint32_t cp;
            struct tsl_slice one = { p, tsl_utf8_decode(p, stop, &cp) };
            if (tsl_charsmap_match_shortest(m, p, one.len, &used, &new))
                rc = push_replacement(&x, one, new);
            else
                rc = push(&x, cp, 0);
            p += one.len;
        }
    }
    if (rc == 0 && x.has_last)
        rc = tsl_arewrite_put(&x.out, x.last, x.change, err);
    swap(text, scratch);
    return rc;
}

static int prepend(struct tsl_slice content, struct tsl_atext *text,
                   struct tsl_atext *scratch, struct tsl_err *err)
{
    tsl_atext_reset(scratch);
    scratch->origin = text->origin;
    int rc = tsl_atext_add(scratch, content.data, content.len, text->begin[0],
                           text->end[0], err);
    if (rc == 0)
        rc = tsl_atext_copy(scratch, text, 0, text->len, err);
    swap(text, scratch);
    return rc;
}

/* content in place of text[from, to): it all comes from the last character there, or from
 * the one before where the match is empty. */
static int put_content(struct tsl_slice content, const struct tsl_atext *text, size_t to,
                       struct tsl_atext *out, struct tsl_err *err)
{
    uint32_t begin = to > 0 ? text->begin[to - 1] : text->origin,
             end = to > 0 ? text->end[to - 1] : text->origin;
    return tsl_atext_add(out, content.data, content.len, begin, end, err);
}

static int replace(struct tsl_slice pattern, struct tsl_slice content,
                   struct tsl_atext *text, struct tsl_atext *scratch, struct tsl_err *err)
{
    size_t done = 0;
    int rc = 0;
    if (pattern.len == 0)
        return 0;
    tsl_atext_reset(scratch);
    scratch->origin = text->origin;
    while (rc == 0) {
        const uint8_t *hit =
            memmem(text->bytes + done, text->len - done, pattern.data, pattern.len);
        size_t at = hit ? (size_t)(hit - text->bytes) : text->len;
        rc = tsl_atext_copy(scratch, text, done, at, err);
        if (!hit)
            break;
        done = at + pattern.len;
        if (rc == 0)
            rc = put_content(content, text, done, scratch, err);
    }
    swap(text, scratch);
    return rc;
}

static int replace_regex(const struct tsl_splitregex *regex, struct tsl_slice content,
                         struct tsl_atext *text, struct tsl_atext *scratch,
                         struct tsl_err *err)
{
    struct tsl_splitregex_scan scan;
    size_t done = 0, begin, end;
    tsl_atext_reset(scratch);
    scratch->origin = text->origin;
    int more = 0, rc = tsl_splitregex_begin(
                      &scan, regex, (struct tsl_slice){ text->bytes, text->len }, err);
    while (rc == 0 && (more = tsl_splitregex_next(&scan, &begin, &end, err)) > 0) {
        rc = tsl_atext_copy(scratch, text, done, begin, err);
        if (rc == 0)
            rc = put_content(content, text, end, scratch, err);
        done = end;
    }
    if (rc == 0)
        rc = more;
    if (rc == 0)
        rc = tsl_atext_copy(scratch, text, done, text->len, err);
    tsl_splitregex_end(&scan);
    swap(text, scratch);
    return rc;
}

static int apply(const struct tsl_normalizer *n, bool goes_on, struct tsl_atext *text,
                 struct tsl_atext *scratch, struct tsl_err *err)
{
    int rc = 0;
    if (!n || text->len == 0)
        return 0; /* no component makes something of nothing */
    switch (n->kind) {
    case BERT: return bert(n, text, scratch, err);
    case FORM: return form(n->form, text, scratch, err);
    case LOWERCASE: return each(LOWER, text, scratch, err);
    case STRIP: strip(n->left && !goes_on, n->right, text); return 0;
    case STRIP_ACCENTS: return each(DROP_MARK, text, scratch, err);
    case NMT: return each(NMT_CLEAN, text, scratch, err);
    case PRECOMPILED: return precompiled(&n->charsmap, text, scratch, err);
    case PREPEND: return goes_on ? 0 : prepend(n->content, text, scratch, err);
    case REPLACE: return replace(n->pattern, n->content, text, scratch, err);
    case REPLACE_REGEX: return replace_regex(n->regex, n->content, text, scratch, err);
    case BYTE_LEVEL: return each(BYTES, text, scratch, err);
    case SEQUENCE:
        for (size_t i = 0; rc == 0 && i < n->nparts; i++)
            rc = apply(n->parts[i], goes_on, text, scratch, err);
        return rc;
    }
    return rc;
}

int tsl_normalizer_apply(const struct tsl_normalizer *n, struct tsl_atext *text,
                         struct tsl_atext *scratch, struct tsl_err *err)
{
    return apply(n, false, text, scratch, err);
}

int tsl_normalizer_go_on(const struct tsl_normalizer *n, struct tsl_atext *text,
                         struct tsl_atext *scratch, struct tsl_err *err)
{
    return apply(n, true, text, scratch, err);
}

static bool replaces_locally(const struct tsl_normalizer *n)
{
    bool blank = is(n->pattern, " ") || is(n->pattern, "\xe2\x96\x81");
    if (blank)
        return is(n->content, " ") || is(n->content, "\xe2\x96\x81");
    return is_plain(n->content) && n->pattern.len &&
           !memchr(n->pattern.data, ' ', n->pattern.len) &&
           !memmem(n->pattern.data, n->pattern.len, "\xe2\x96\x81", 3);
}

bool tsl_normalizer_is_local(const struct tsl_normalizer *n)
{
    if (!n)
        return true;
    switch (n->kind) {
    case REPLACE: return replaces_locally(n);
    case REPLACE_REGEX: return n->blanks;
    case BYTE_LEVEL: return false;
    case SEQUENCE:
        for (size_t i = 0; i < n->nparts; i++)
            if (!tsl_normalizer_is_local(n->parts[i]))
                return false;
        return true;
    case BERT:
    case FORM:
    case LOWERCASE:
    case STRIP:
    case STRIP_ACCENTS:
    case NMT:
    case PRECOMPILED:
    case PREPEND: break;
    }
    return true;
}
