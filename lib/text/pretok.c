#include "text/pretok.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "text/bytealpha.h"
#include "text/splitpat.h"
#include "text/splitregex.h"
#include "text/uniprop.h"

enum kind {
    BERT,
    BYTE_LEVEL,
    WHITESPACE,
    WHITESPACE_SPLIT,
    PUNCTUATION,
    DIGITS,
    DELIMITER,
    METASPACE,
    SPLIT_PATTERN,
    SPLIT_REGEX,
    SCRIPTS,
    FIXED_LENGTH,
    SEQUENCE
};

struct tsl_pretok {
    enum kind kind;
    enum tsl_split_behavior behavior;
    bool invert;
    bool add_prefix_space, use_regex; /* BYTE_LEVEL */
    uint32_t cp;                      /* DELIMITER, METASPACE */
    enum tsl_prepend_scheme scheme;   /* METASPACE, with split */
    bool split;
    size_t length; /* FIXED_LENGTH */
    enum tsl_splitpat pattern;
    struct tsl_splitregex *regex;
    struct tsl_pretok **parts;
    size_t nparts, cap;
};

/* ---- pieces ----------------------------------------------------------------------------- */

void tsl_pieces_init(struct tsl_pieces *a)
{
    *a = (struct tsl_pieces){ 0 };
}

void tsl_pieces_fini(struct tsl_pieces *a)
{
    tsl_mem_free(a->p);
    tsl_mem_free(a->spare);
    *a = (struct tsl_pieces){ 0 };
}

static int push(struct tsl_pieces *a, struct tsl_piece piece, struct tsl_err *err)
{
    int rc = tsl_mem_grow(&a->p, &a->cap, a->n + 1, sizeof *a->p, "pieces of text", err);
    if (rc < 0)
        return rc;
    a->p[a->n++] = piece;
    return 0;
}

int tsl_pieces_set(struct tsl_pieces *a, size_t len, uint32_t origin, struct tsl_err *err)
{
    a->n = 0;
    if (len > UINT32_MAX)
        return tsl_err_set(err, TSL_EFORMAT, "a text of more than 4 GiB in one row");
    return len > 0 ? push(a, (struct tsl_piece){ 0, (uint32_t)len, origin }, err) : 0;
}

/* ---- building --------------------------------------------------------------------------- */

static struct tsl_pretok *create(enum kind kind, struct tsl_err *err)
{
    struct tsl_pretok *p = tsl_mem_alloc(1, sizeof *p, "a pre-tokenizer", err);
    if (p)
        p->kind = kind;
    return p;
}

struct tsl_pretok *tsl_pretok_create_bert(struct tsl_err *err)
{
    return create(BERT, err);
}

struct tsl_pretok *tsl_pretok_create_byte_level(bool add_prefix_space, bool use_regex,
                                                struct tsl_err *err)
{
    struct tsl_pretok *p = create(BYTE_LEVEL, err);
    if (p) {
        p->add_prefix_space = add_prefix_space;
        p->use_regex = use_regex;
    }
    return p;
}

struct tsl_pretok *tsl_pretok_create_whitespace(struct tsl_err *err)
{
    return create(WHITESPACE, err);
}

struct tsl_pretok *tsl_pretok_create_whitespace_split(struct tsl_err *err)
{
    return create(WHITESPACE_SPLIT, err);
}

struct tsl_pretok *tsl_pretok_create_punctuation(enum tsl_split_behavior behavior,
                                                 struct tsl_err *err)
{
    struct tsl_pretok *p = create(PUNCTUATION, err);
    if (p)
        p->behavior = behavior;
    return p;
}

struct tsl_pretok *tsl_pretok_create_digits(bool individual, struct tsl_err *err)
{
    struct tsl_pretok *p = create(DIGITS, err);
    if (p)
        p->behavior = individual ? TSL_SPLIT_ISOLATED : TSL_SPLIT_CONTIGUOUS;
    return p;
}

struct tsl_pretok *tsl_pretok_create_delimiter(uint32_t delimiter, struct tsl_err *err)
{
    struct tsl_pretok *p = create(DELIMITER, err);
    if (p)
        p->cp = delimiter;
    return p;
}

struct tsl_pretok *tsl_pretok_create_metaspace(uint32_t replacement,
                                               enum tsl_prepend_scheme scheme, bool split,
                                               struct tsl_err *err)
{
    struct tsl_pretok *p = create(METASPACE, err);
    if (p) {
        p->cp = replacement;
        p->scheme = scheme;
        p->split = split;
    }
    return p;
}

static struct tsl_pretok *create_regex(struct tsl_slice pattern,
                                       enum tsl_split_behavior behavior, bool invert,
                                       struct tsl_err *err)
{
    struct tsl_pretok *p = create(SPLIT_REGEX, err);
    if (!p)
        return NULL;
    p->behavior = behavior;
    p->invert = invert;
    p->regex = tsl_splitregex_create(pattern, err);
    if (p->regex)
        return p;
    tsl_pretok_destroy(p);
    return NULL;
}

struct tsl_pretok *tsl_pretok_create_split(struct tsl_slice pattern,
                                           enum tsl_split_behavior behavior, bool invert,
                                           struct tsl_err *err)
{
    /* Every byte that means something to a regex stands behind a backslash. */
    uint8_t *escaped = tsl_mem_alloc(pattern.len + 1, 2, "a pattern", err);
    struct tsl_slice regex = { escaped, 0 };
    if (!escaped)
        return NULL;
    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.data[i] < 0x80 && (tsl_uniprop(pattern.data[i]) & TSL_UNI_BERT_PUNCT))
            escaped[regex.len++] = '\\';
        escaped[regex.len++] = pattern.data[i];
    }
    struct tsl_pretok *p = create_regex(regex, behavior, invert, err);
    tsl_mem_free(escaped);
    return p;
}

struct tsl_pretok *tsl_pretok_create_split_regex(struct tsl_slice pattern,
                                                 enum tsl_split_behavior behavior,
                                                 bool invert, struct tsl_err *err)
{
    enum tsl_splitpat known = tsl_splitpat_find(pattern);
    if (known == TSL_SPLITPAT_UNKNOWN)
        return create_regex(pattern, behavior, invert, err);
    struct tsl_pretok *p = create(SPLIT_PATTERN, err);
    if (p) {
        p->pattern = known;
        p->behavior = behavior;
        p->invert = invert;
    }
    return p;
}

struct tsl_pretok *tsl_pretok_create_scripts(struct tsl_err *err)
{
    return create(SCRIPTS, err);
}

struct tsl_pretok *tsl_pretok_create_fixed_length(size_t length, struct tsl_err *err)
{
    if (length == 0) {
        tsl_err_set(err, TSL_EFORMAT, "FixedLength: a length of 0");
        return NULL;
    }
    struct tsl_pretok *p = create(FIXED_LENGTH, err);
    if (p)
        p->length = length;
    return p;
}

struct tsl_pretok *tsl_pretok_create_sequence(struct tsl_err *err)
{
    return create(SEQUENCE, err);
}

int tsl_pretok_append(struct tsl_pretok *sequence, struct tsl_pretok *part,
                      struct tsl_err *err)
{
    if (!part)
        return err && err->code ? err->code : TSL_ENOMEM;
    int rc = tsl_mem_grow(&sequence->parts, &sequence->cap, sequence->nparts + 1,
                          sizeof *sequence->parts, "pre-tokenizers", err);
    if (rc < 0) {
        tsl_pretok_destroy(part);
        return rc;
    }
    sequence->parts[sequence->nparts++] = part;
    return 0;
}

void tsl_pretok_destroy(struct tsl_pretok *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->nparts; i++)
        tsl_pretok_destroy(p->parts[i]);
    tsl_mem_free(p->parts);
    tsl_splitregex_destroy(p->regex);
    tsl_mem_free(p);
}

/* ---- cutting ---------------------------------------------------------------------------- */

/* Takes the stretches of one piece in order, each a match of a pattern or the gap before
 * one, and makes new pieces of them. */
struct cutter {
    const struct tsl_atext *text;
    struct tsl_pieces *out;
    enum tsl_split_behavior behavior;
    bool invert;

    bool held, previous; /* there is a stretch not yet put out; the last was a match */
    uint32_t begin, end; /* the held stretch */
    struct tsl_err *err;
};

static int put_held(struct cutter *c)
{
    bool any = c->held && c->begin < c->end;
    c->held = false;
    if (!any)
        return 0;
    return push(c->out, (struct tsl_piece){ c->begin, c->end, c->text->begin[c->begin] },
                c->err);
}

static int stretch(struct cutter *c, size_t begin, size_t end, bool matched)
{
    bool join = false;
    int rc = 0;
    matched ^= c->invert;
    switch (c->behavior) {
    case TSL_SPLIT_REMOVED:
        if (matched)
            return 0;
        break;
    case TSL_SPLIT_ISOLATED: break;
    case TSL_SPLIT_CONTIGUOUS: join = matched == c->previous; break;
    case TSL_SPLIT_MERGED_WITH_PREVIOUS: join = matched && !c->previous; break;
    case TSL_SPLIT_MERGED_WITH_NEXT: join = !matched && c->previous; break;
    }
    if (join && c->held) {
        c->end = (uint32_t)end;
    } else {
        rc = put_held(c);
        c->begin = (uint32_t)begin;
        c->end = (uint32_t)end;
        c->held = true;
    }
    c->previous = matched;
    return rc;
}

/* Is cp what this pre-tokenizer cuts at? */
static bool cuts_at(const struct tsl_pretok *p, uint32_t cp, uint32_t bits)
{
    return bits != 0 ? (tsl_uniprop(cp) & bits) != 0 : cp == p->cp;
}

/* Cuts at characters: those with one of bits, or p->cp where bits is 0. */
static int cut_at_chars(const struct tsl_pretok *p, uint32_t bits, struct cutter *c,
                        size_t begin, size_t end)
{
    const uint8_t *bytes = c->text->bytes;
    size_t done = begin;
    int rc = 0;
    for (size_t at = begin; rc == 0 && at < end;) {
        uint32_t cp;
        size_t n = tsl_utf8_decode(bytes + at, bytes + end, &cp);
        if (cuts_at(p, cp, bits)) {
            if (done < at)
                rc = stretch(c, done, at, false);
            if (rc == 0)
                rc = stretch(c, at, at + n, true);
            done = at + n;
        }
        at += n;
    }
    return rc < 0 || done == end ? rc : stretch(c, done, end, false);
}

/* `\w+|[^\w\s]+`: the matches are the pieces. */
static int cut_words(struct cutter *c, size_t begin, size_t end)
{
    const uint8_t *bytes = c->text->bytes;
    enum { NOTHING, WORD, OTHER, WHITE } last = NOTHING, now;
    size_t done = begin;
    int rc = 0;
    for (size_t at = begin; rc == 0 && at < end;) {
        uint32_t cp;
        size_t n = tsl_utf8_decode(bytes + at, bytes + end, &cp);
        uint32_t is = tsl_uniprop(cp);
        now = is & TSL_UNI_WORD ? WORD : is & TSL_UNI_SPACE ? WHITE : OTHER;
        if (now != last && done < at)
            rc = stretch(c, done, at, last != WHITE);
        if (now != last)
            done = at;
        last = now;
        at += n;
    }
    return rc < 0 || done == end ? rc : stretch(c, done, end, last != WHITE);
}

static int cut_pattern(enum tsl_splitpat pattern, struct cutter *c, size_t begin,
                       size_t end)
{
    int rc = 0;
    for (size_t at = begin; rc == 0 && at < end;) {
        bool matched;
        size_t n = tsl_splitpat_next(pattern, c->text->bytes + at, end - at, &matched);
        rc = stretch(c, at, at + n, matched);
        at += n;
    }
    return rc;
}

static int cut_regex(const struct tsl_splitregex *regex, struct cutter *c, size_t begin,
                     size_t end)
{
    struct tsl_splitregex_scan scan;
    size_t done = begin, from, to;
    int more = 0;
    int rc = tsl_splitregex_begin(
        &scan, regex, (struct tsl_slice){ c->text->bytes + begin, end - begin }, c->err);
    while (rc == 0 && (more = tsl_splitregex_next(&scan, &from, &to, c->err)) > 0) {
        if (done < begin + from)
            rc = stretch(c, done, begin + from, false);
        if (rc == 0)
            rc = stretch(c, begin + from, begin + to, true);
        done = begin + to;
    }
    tsl_splitregex_end(&scan);
    if (rc == 0)
        rc = more;
    return rc < 0 || done == end ? rc : stretch(c, done, end, false);
}

/* A piece begins where the script changes.  What has no script joins what is before it;
 * before the first that has one, it is dropped, as the peer does. */
static int cut_scripts(struct cutter *c, size_t begin, size_t end)
{
    const uint8_t *bytes = c->text->bytes;
    size_t done = end;
    unsigned last = 0;
    int rc = 0;
    for (size_t at = begin; rc == 0 && at < end;) {
        uint32_t cp;
        size_t n = tsl_utf8_decode(bytes + at, bytes + end, &cp);
        unsigned script = tsl_uni_script(cp);
        if (script != 0 && script != last) {
            if (done < at)
                rc = stretch(c, done, at, false);
            done = at;
            last = script;
        }
        at += n;
    }
    return rc < 0 || done == end ? rc : stretch(c, done, end, false);
}

static int cut_fixed(size_t length, struct cutter *c, size_t begin, size_t end)
{
    const uint8_t *bytes = c->text->bytes;
    size_t done = begin, count = 0;
    int rc = 0;
    for (size_t at = begin; rc == 0 && at < end;) {
        if (count == length) {
            rc = stretch(c, done, at, false);
            done = at;
            count = 0;
        }
        do
            at++;
        while (at < end && (bytes[at] & 0xc0) == 0x80);
        count++;
    }
    return rc < 0 ? rc : stretch(c, done, end, false);
}

/* How a component cuts one piece. */
enum way {
    AT_WHITE,
    AT_PUNCT,
    AT_NUMERIC,
    AT_CHAR,
    BY_WORDS,
    BY_GPT2,
    BY_PATTERN,
    BY_REGEX,
    BY_SCRIPTS,
    BY_LENGTH
};

static int cut_one(const struct tsl_pretok *p, enum way way, struct cutter *c,
                   size_t begin, size_t end)
{
    switch (way) {
    case AT_WHITE: return cut_at_chars(p, TSL_UNI_WHITE, c, begin, end);
    case AT_PUNCT: return cut_at_chars(p, TSL_UNI_BERT_PUNCT, c, begin, end);
    case AT_NUMERIC: return cut_at_chars(p, TSL_UNI_NUMERIC, c, begin, end);
    case AT_CHAR: return cut_at_chars(p, 0, c, begin, end);
    case BY_WORDS: return cut_words(c, begin, end);
    case BY_GPT2: return cut_pattern(TSL_SPLITPAT_GPT2, c, begin, end);
    case BY_PATTERN: return cut_pattern(p->pattern, c, begin, end);
    case BY_REGEX: return cut_regex(p->regex, c, begin, end);
    case BY_SCRIPTS: return cut_scripts(c, begin, end);
    case BY_LENGTH: return cut_fixed(p->length, c, begin, end);
    }
    return 0;
}

/* Empties pieces; what they were is in spare, their number returned. */
static size_t take(struct tsl_pieces *pieces)
{
    struct tsl_piece *p = pieces->spare;
    size_t cap = pieces->spare_cap, n = pieces->n;
    pieces->spare = pieces->p;
    pieces->spare_cap = pieces->cap;
    pieces->p = p;
    pieces->cap = cap;
    pieces->n = 0;
    return n;
}

static int cut(const struct tsl_pretok *p, enum way way, enum tsl_split_behavior behavior,
               bool invert, const struct tsl_atext *text, struct tsl_pieces *pieces,
               struct tsl_err *err)
{
    size_t n = take(pieces);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct cutter c = { .text = text,
                            .out = pieces,
                            .behavior = behavior,
                            .invert = invert,
                            .err = err };
        rc = cut_one(p, way, &c, pieces->spare[i].begin, pieces->spare[i].end);
        if (rc == 0)
            rc = put_held(&c);
    }
    return rc;
}

/* ---- rewriting -------------------------------------------------------------------------- */

static void begin_rewrite(const struct tsl_atext *text, struct tsl_atext *out)
{
    tsl_atext_reset(out);
    out->origin = text->origin;
}

static void swap(struct tsl_atext *a, struct tsl_atext *b)
{
    struct tsl_atext t = *a;
    *a = *b;
    *b = t;
}

/* Puts cp before pieces that do not begin with it, and replaces each character from by
 * cp. */
static int put_before(uint32_t cp, uint32_t from, const struct tsl_pretok *p,
                      struct tsl_atext *text, struct tsl_atext *scratch,
                      struct tsl_pieces *pieces, struct tsl_err *err)
{
    int rc = 0;
    begin_rewrite(text, scratch);
    for (size_t i = 0; rc == 0 && i < pieces->n; i++) {
        struct tsl_piece *piece = &pieces->p[i];
        const uint8_t *bytes = text->bytes, *end = bytes + piece->end;
        size_t begin = scratch->len;
        uint32_t first;
        (void)tsl_utf8_decode(bytes + piece->begin, end, &first);
        bool add = first != cp && first != from;
        if (p->kind == METASPACE && p->scheme != TSL_PREPEND_ALWAYS)
            add = add && p->scheme == TSL_PREPEND_FIRST && piece->origin == 0;
        if (add)
            rc = tsl_atext_put(scratch, cp, text->begin[piece->begin],
                               text->end[piece->begin], err);
        for (size_t at = piece->begin; rc == 0 && at < piece->end;) {
            uint32_t is;
            size_t n = tsl_utf8_decode(bytes + at, end, &is);
            if (is == from)
                rc = tsl_atext_put(scratch, cp, text->begin[at], text->end[at], err);
            else
                rc = tsl_atext_copy(scratch, text, at, at + n, err);
            at += n;
        }
        piece->begin = (uint32_t)begin;
        piece->end = (uint32_t)scratch->len;
    }
    swap(text, scratch);
    return rc;
}

static int spell_bytes(struct tsl_atext *text, struct tsl_atext *scratch,
                       struct tsl_pieces *pieces, struct tsl_err *err)
{
    int rc = 0;
    begin_rewrite(text, scratch);
    for (size_t i = 0; rc == 0 && i < pieces->n; i++) {
        struct tsl_piece *piece = &pieces->p[i];
        size_t begin = scratch->len;
        bool nothing = piece->begin < piece->end &&
                       text->begin[piece->begin] == text->end[piece->end - 1];
        for (size_t at = piece->begin; rc == 0 && at < piece->end; at++)
            rc = tsl_atext_put(scratch, tsl_bytealpha_char(text->bytes[at]),
                               text->begin[at], text->end[at], err);
        /* The peer rewrites what the source became: of a piece that came from nothing, as
         * what a normalizer puts in front of a text, all stays behind what is new. */
        if (rc == 0 && nothing)
            rc = tsl_atext_copy(scratch, text, piece->begin, piece->end, err);
        piece->begin = (uint32_t)begin;
        piece->end = (uint32_t)scratch->len;
    }
    swap(text, scratch);
    return rc;
}

static int byte_level(const struct tsl_pretok *p, struct tsl_atext *text,
                      struct tsl_atext *scratch, struct tsl_pieces *pieces,
                      struct tsl_err *err)
{
    int rc = 0;
    if (p->add_prefix_space)
        rc = put_before(' ', ' ', p, text, scratch, pieces, err);
    if (rc == 0 && p->use_regex)
        rc = cut(p, BY_GPT2, TSL_SPLIT_ISOLATED, false, text, pieces, err);
    return rc < 0 ? rc : spell_bytes(text, scratch, pieces, err);
}

static int metaspace(const struct tsl_pretok *p, struct tsl_atext *text,
                     struct tsl_atext *scratch, struct tsl_pieces *pieces,
                     struct tsl_err *err)
{
    int rc = put_before(p->cp, ' ', p, text, scratch, pieces, err);
    if (rc < 0 || !p->split)
        return rc;
    return cut(p, AT_CHAR, TSL_SPLIT_MERGED_WITH_NEXT, false, text, pieces, err);
}

int tsl_pretok_apply(const struct tsl_pretok *p, struct tsl_atext *text,
                     struct tsl_atext *scratch, struct tsl_pieces *pieces,
                     struct tsl_err *err)
{
    const enum tsl_split_behavior isolated = TSL_SPLIT_ISOLATED,
                                  removed = TSL_SPLIT_REMOVED;
    int rc = 0;
    if (!p || pieces->n == 0)
        return 0;
    switch (p->kind) {
    case BERT:
        rc = cut(p, AT_WHITE, removed, false, text, pieces, err);
        return rc < 0 ? rc : cut(p, AT_PUNCT, isolated, false, text, pieces, err);
    case BYTE_LEVEL: return byte_level(p, text, scratch, pieces, err);
    case WHITESPACE: return cut(p, BY_WORDS, removed, true, text, pieces, err);
    case WHITESPACE_SPLIT: return cut(p, AT_WHITE, removed, false, text, pieces, err);
    case PUNCTUATION: return cut(p, AT_PUNCT, p->behavior, false, text, pieces, err);
    case DIGITS: return cut(p, AT_NUMERIC, p->behavior, false, text, pieces, err);
    case DELIMITER: return cut(p, AT_CHAR, removed, false, text, pieces, err);
    case METASPACE: return metaspace(p, text, scratch, pieces, err);
    case SPLIT_PATTERN:
        return cut(p, BY_PATTERN, p->behavior, p->invert, text, pieces, err);
    case SPLIT_REGEX: return cut(p, BY_REGEX, p->behavior, p->invert, text, pieces, err);
    case SCRIPTS: return cut(p, BY_SCRIPTS, isolated, false, text, pieces, err);
    case FIXED_LENGTH: return cut(p, BY_LENGTH, isolated, false, text, pieces, err);
    case SEQUENCE:
        for (size_t i = 0; rc == 0 && i < p->nparts; i++)
            rc = tsl_pretok_apply(p->parts[i], text, scratch, pieces, err);
        return rc;
    }
    return rc;
}

enum tsl_pretok_blank tsl_pretok_at_blank(const struct tsl_pretok *p, bool underline)
{
    const enum tsl_pretok_blank cuts = TSL_PRETOK_CUTS;
    enum tsl_pretok_blank found = TSL_PRETOK_STAYS;
    if (!p)
        return TSL_PRETOK_STAYS;
    switch (p->kind) {
    case METASPACE:
        if (p->cp != 0x2581)
            return TSL_PRETOK_UNKNOWN;
        return p->split ? cuts : TSL_PRETOK_STAYS;
    case BERT:
    case WHITESPACE:
    case WHITESPACE_SPLIT: return underline ? TSL_PRETOK_UNKNOWN : cuts;
    case BYTE_LEVEL: return !underline && p->use_regex ? cuts : TSL_PRETOK_UNKNOWN;
    case SPLIT_PATTERN:
        return !underline && p->pattern < TSL_SPLITPAT_DEEPSEEK &&
                       p->behavior == (p->invert ? TSL_SPLIT_REMOVED : TSL_SPLIT_ISOLATED)
                   ? cuts
                   : TSL_PRETOK_UNKNOWN;
    case PUNCTUATION:
    case DIGITS:
    case SCRIPTS: return TSL_PRETOK_STAYS;
    case DELIMITER:
        return p->cp == ' ' && !underline ? cuts
               : p->cp < 0x80             ? TSL_PRETOK_STAYS
                                          : TSL_PRETOK_UNKNOWN;
    case SPLIT_REGEX:
    case FIXED_LENGTH: return TSL_PRETOK_UNKNOWN;
    case SEQUENCE:
        for (size_t i = 0; i < p->nparts && found == TSL_PRETOK_STAYS; i++) {
            found = tsl_pretok_at_blank(p->parts[i], underline);
            underline = underline || p->parts[i]->kind == METASPACE;
        }
        return found;
    }
    return TSL_PRETOK_UNKNOWN;
}
