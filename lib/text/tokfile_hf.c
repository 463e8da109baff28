#include "text/tokfile_hf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "text/jsonl.h"
#include "text/jsonnum.h"
#include "text/tokfile_gpt2.h"

typedef const struct tsl_jsonval *json;

/* U+0000 of a key while jansson has the file: noncharacters that no file has in a row. */
#define KEY_NUL "\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbe\xf4\x8f\xbf\xbf"

/* One part of the file: what messages say of it. */
struct part {
    const char *file, *role; /* "normalizer" */
    json v;
    struct tsl_slice type;
    struct tsl_err *err;
};

static bool is(struct tsl_slice s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.data, text, s.len) == 0;
}

static struct tsl_slice slice(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

static bool is_null(json v)
{
    return tsl_jsonread_kind(v) <= TSL_JSON_NULL;
}

/* ---- fields --------------------------------------------------------------------------- */

static int wrong(const struct part *p, const char *key, const char *must)
{
    return tsl_err_set(p->err, TSL_EFORMAT, "%s: %s %s: \"%s\" must be %s, not %s",
                       p->file, p->role, tsl_tokfile_quote(p->type).s, key, must,
                       tsl_jsonread_kind_name(tsl_jsonread_get(p->v, key)));
}

/* What a constructor of another file said, with the place of the part in front. */
static int failed(const struct part *p, int rc, const struct tsl_err *why)
{
    return tsl_err_set(p->err, rc < 0 ? rc : TSL_ENOMEM, "%s: %s %s: %s", p->file,
                       p->role, tsl_tokfile_quote(p->type).s, why->msg);
}

/* Opens the part v: an object with a type, or an error. */
static int open_part(struct part *p, const char *file, const char *role, json v,
                     struct tsl_err *err)
{
    *p = (struct part){ .file = file, .role = role, .v = v, .err = err };
    if (tsl_jsonread_kind(v) != TSL_JSON_OBJECT)
        return tsl_err_set(err, TSL_EFORMAT, "%s: %s must be an object or null, not %s",
                           file, role, tsl_jsonread_kind_name(v));
    if (!tsl_jsonread_str(tsl_jsonread_get(v, "type"), &p->type))
        return tsl_err_set(err, TSL_EFORMAT, "%s: %s has no \"type\"", file, role);
    return 0;
}

static int unknown_type(const struct part *p)
{
    return tsl_err_set(p->err, TSL_EFORMAT, "%s: %s of type %s is not known", p->file,
                       p->role, tsl_tokfile_quote(p->type).s);
}

static int get_bool(const struct part *p, const char *key, bool *out)
{
    return tsl_jsonread_bool(tsl_jsonread_get(p->v, key), out)
               ? 0
               : wrong(p, key, "true or false");
}

/* As it is where the key is missing or null. */
static int get_bool_or(const struct part *p, const char *key, bool *out)
{
    return is_null(tsl_jsonread_get(p->v, key)) ? 0 : get_bool(p, key, out);
}

static int get_str(const struct part *p, const char *key, struct tsl_slice *out)
{
    return tsl_jsonread_str(tsl_jsonread_get(p->v, key), out) ? 0
                                                              : wrong(p, key, "a string");
}

static int get_str_or(const struct part *p, const char *key, struct tsl_slice *out)
{
    return is_null(tsl_jsonread_get(p->v, key)) ? 0 : get_str(p, key, out);
}

/* A string of one character. */
static int get_char(const struct part *p, const char *key, struct tsl_slice *out)
{
    int rc = get_str(p, key, out);
    uint32_t cp;
    if (rc == 0 &&
        (!out->len || tsl_utf8_decode(out->data, out->data + out->len, &cp) != out->len))
        rc = wrong(p, key, "one character");
    return rc;
}

static int get_count(const struct part *p, const char *key, uint64_t most, uint64_t *out)
{
    int64_t n;
    if (!tsl_jsonread_int(tsl_jsonread_get(p->v, key), &n) || n < 0 || (uint64_t)n > most)
        return wrong(p, key, "a whole number in range");
    *out = (uint64_t)n;
    return 0;
}

static int get_count_or(const struct part *p, const char *key, uint64_t most,
                        uint64_t *out)
{
    return is_null(tsl_jsonread_get(p->v, key)) ? 0 : get_count(p, key, most, out);
}

static int get_array(const struct part *p, const char *key, json *out)
{
    *out = tsl_jsonread_get(p->v, key);
    return tsl_jsonread_kind(*out) == TSL_JSON_ARRAY ? 0 : wrong(p, key, "an array");
}

/* {"String": s} or {"Regex": s} */
static int get_pattern(const struct part *p, struct tsl_slice *out, bool *regex)
{
    json v = tsl_jsonread_get(p->v, "pattern");
    *regex = tsl_jsonread_str(tsl_jsonread_get(v, "Regex"), out);
    if (tsl_jsonread_size(v) == 1 &&
        (*regex || tsl_jsonread_str(tsl_jsonread_get(v, "String"), out)))
        return 0;
    return wrong(p, "pattern", "{\"String\": ...} or {\"Regex\": ...}");
}

/* What a Replace has, normalizer or decoder. */
static int get_replace(const struct part *p, struct tsl_slice *pattern, bool *regex,
                       struct tsl_slice *content)
{
    int rc = get_pattern(p, pattern, regex);
    return rc < 0 ? rc : get_str(p, "content", content);
}

/* ---- normalizer ----------------------------------------------------------------------- */

static bool has_underline(struct tsl_slice s)
{
    return s.len >= 3 && memmem(s.data, s.len, "\xe2\x96\x81", 3);
}

static int norm_bert(struct tsl_hfpipe *pipe, const struct part *p,
                     struct tsl_normalizer **out)
{
    bool clean = true, chinese = true, lower = true, strip;
    int rc = get_bool(p, "clean_text", &clean);
    if (rc == 0)
        rc = get_bool(p, "handle_chinese_chars", &chinese);
    if (rc == 0)
        rc = get_bool(p, "lowercase", &lower);
    strip = lower;
    if (rc == 0)
        rc = get_bool_or(p, "strip_accents", &strip);
    if (rc < 0)
        return rc;
    pipe->norm_kind = TSL_HFPIPE_NORM_BERT;
    pipe->bert_clean = clean;
    pipe->bert_chinese = chinese;
    pipe->bert_lower = lower;
    pipe->bert_strip = strip;
    *out = tsl_normalizer_create_bert(clean, chinese, strip, lower, p->err);
    return *out ? 0 : TSL_ENOMEM;
}

static int norm_charsmap(const struct part *p, struct tsl_normalizer **out)
{
    struct tsl_slice text = { 0 };
    struct tsl_err why = { 0 };
    int rc = get_str_or(p, "precompiled_charsmap", &text);
    uint8_t *blob = rc == 0 ? tsl_mem_alloc(text.len + 1, 1, "a charsmap", p->err) : NULL;
    int64_t n = 0;
    if (rc < 0 || !blob)
        return rc < 0 ? rc : TSL_ENOMEM;
    if (text.len && (n = tsl_tokfile_base64(text, blob)) < 0)
        rc = wrong(p, "precompiled_charsmap", "base64");
    if (rc == 0) {
        *out = tsl_normalizer_create_precompiled((struct tsl_slice){ blob, (size_t)n },
                                                 &why);
        rc = *out ? 0 : failed(p, why.code, &why);
    }
    tsl_mem_free(blob);
    return rc;
}

static int norm_replace(struct tsl_hfpipe *pipe, const struct part *p,
                        struct tsl_normalizer **out)
{
    struct tsl_slice pattern, content;
    struct tsl_err why = { 0 };
    bool regex;
    int rc = get_replace(p, &pattern, &regex, &content);
    if (rc < 0)
        return rc;
    pipe->metaspace |= has_underline(content);
    *out = regex ? tsl_normalizer_create_replace_regex(pattern, content, &why)
                 : tsl_normalizer_create_replace(pattern, content, &why);
    return *out ? 0 : failed(p, why.code, &why);
}

static int norm_any(struct tsl_hfpipe *pipe, json v, const char *file,
                    struct tsl_normalizer **out, struct tsl_err *err);

static int norm_sequence(struct tsl_hfpipe *pipe, const struct part *p,
                         struct tsl_normalizer **out)
{
    json parts;
    int rc = get_array(p, "normalizers", &parts);
    struct tsl_normalizer *all = rc == 0 ? tsl_normalizer_create_sequence(p->err) : NULL;
    if (rc == 0 && !all)
        rc = TSL_ENOMEM;
    for (size_t i = 0; rc == 0 && i < tsl_jsonread_size(parts); i++) {
        struct tsl_normalizer *part = NULL;
        rc = norm_any(pipe, tsl_jsonread_at(parts, i), p->file, &part, p->err);
        if (rc == 0)
            rc = tsl_normalizer_append(all, part, p->err);
    }
    if (rc == 0 && tsl_jsonread_size(parts) != 1)
        pipe->norm_kind =
            tsl_jsonread_size(parts) ? TSL_HFPIPE_NORM_OTHER : TSL_HFPIPE_NORM_NONE;
    if (rc < 0)
        tsl_normalizer_destroy(all);
    else
        *out = all;
    return rc;
}

static int norm_any(struct tsl_hfpipe *pipe, json v, const char *file,
                    struct tsl_normalizer **out, struct tsl_err *err)
{
    static const struct {
        const char *name;
        enum tsl_normform form;
    } forms[] = {
        { "NFC", TSL_NFC }, { "NFD", TSL_NFD }, { "NFKC", TSL_NFKC }, { "NFKD", TSL_NFKD }
    };
    struct part p;
    bool left = true, right = true;
    struct tsl_slice s;
    int rc = open_part(&p, file, "normalizer", v, err);
    if (rc < 0)
        return rc;
    pipe->norm_kind = is(p.type, "NFC") ? TSL_HFPIPE_NORM_NFC : TSL_HFPIPE_NORM_OTHER;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (is(p.type, forms[i].name)) {
            *out = tsl_normalizer_create_form(forms[i].form, err);
            return *out ? 0 : TSL_ENOMEM;
        }
    if (is(p.type, "BertNormalizer"))
        return norm_bert(pipe, &p, out);
    if (is(p.type, "Precompiled"))
        return norm_charsmap(&p, out);
    if (is(p.type, "Replace"))
        return norm_replace(pipe, &p, out);
    if (is(p.type, "Sequence"))
        return norm_sequence(pipe, &p, out);
    if (is(p.type, "Lowercase")) {
        *out = tsl_normalizer_create_lowercase(err);
    } else if (is(p.type, "StripAccents")) {
        *out = tsl_normalizer_create_strip_accents(err);
    } else if (is(p.type, "Nmt")) {
        *out = tsl_normalizer_create_nmt(err);
    } else if (is(p.type, "ByteLevel")) {
        *out = tsl_normalizer_create_byte_level(err);
    } else if (is(p.type, "Strip")) {
        rc = get_bool(&p, "strip_left", &left);
        if (rc == 0)
            rc = get_bool(&p, "strip_right", &right);
        if (rc == 0)
            *out = tsl_normalizer_create_strip(left, right, err);
    } else if (is(p.type, "Prepend")) {
        rc = get_str(&p, "prepend", &s);
        if (rc == 0) {
            pipe->metaspace |= has_underline(s);
            *out = tsl_normalizer_create_prepend(s, err);
        }
    } else {
        return unknown_type(&p);
    }
    return rc < 0 ? rc : *out ? 0 : TSL_ENOMEM;
}

int tsl_tokfile_hf_normalizer(struct tsl_hfpipe *p, const struct tsl_jsonval *v,
                              const char *name, struct tsl_err *err)
{
    struct tsl_normalizer *made = NULL;
    enum tsl_hfpipe_norm kind = p->norm_kind;
    p->norm_kind = TSL_HFPIPE_NORM_NONE;
    int rc = is_null(v) ? 0 : norm_any(p, v, name, &made, err);
    if (rc < 0) {
        p->norm_kind = kind;
        return rc;
    }
    tsl_normalizer_destroy(p->normalizer);
    p->normalizer = made;
    return 0;
}

/* ---- pre-tokenizer -------------------------------------------------------------------- */

/* What the leaves of the tree are, as far as a fast engine may know them. */
struct leaves {
    size_t n;
    enum {
        LEAF_OTHER,
        LEAF_BERT,
        LEAF_BYTES,
        LEAF_BYTES_CUT,
        LEAF_SPLIT,
        LEAF_WHOLE
    } kind[2];
    enum tsl_splitpat pattern; /* of a LEAF_SPLIT */
    bool prefix_space;         /* of LEAF_BYTES */
};

static int get_behavior(const struct part *p, bool optional, enum tsl_split_behavior *out)
{
    static const char *const names[] = { "Removed", "Isolated", "MergedWithPrevious",
                                         "MergedWithNext", "Contiguous" };
    struct tsl_slice s = slice("Isolated");
    int rc = optional ? get_str_or(p, "behavior", &s) : get_str(p, "behavior", &s);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is(s, names[i])) {
            *out = (enum tsl_split_behavior)i;
            return 0;
        }
    return wrong(p, "behavior",
                 "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

static int get_code_point(const struct part *p, const char *key, uint32_t *cp)
{
    struct tsl_slice s;
    int rc = get_char(p, key, &s);
    if (rc == 0)
        tsl_utf8_decode(s.data, s.data + s.len, cp);
    return rc;
}

/* prepend_scheme, or what files of old say in its place. */
static int prepend_scheme(const struct part *p, struct tsl_slice *scheme)
{
    bool prefix = true, told = !is_null(tsl_jsonread_get(p->v, "prepend_scheme"));
    *scheme = slice("always");
    int rc = get_bool_or(p, "add_prefix_space", &prefix);
    if (rc == 0 && told)
        rc = get_str(p, "prepend_scheme", scheme);
    if (rc < 0)
        return rc;
    if (!is(*scheme, "always") && !is(*scheme, "first") && !is(*scheme, "never"))
        return wrong(p, "prepend_scheme", "always, first or never");
    if (!prefix && !told)
        *scheme = slice("never");
    if (!prefix && !is(*scheme, "never"))
        return wrong(p, "prepend_scheme", "never where add_prefix_space is false");
    return 0;
}

static int pre_byte_level(const struct part *p, struct leaves *l, struct tsl_pretok **out)
{
    bool prefix = true, trim = true, regex = true;
    int rc = get_bool(p, "add_prefix_space", &prefix);
    if (rc == 0)
        rc = get_bool(p, "trim_offsets", &trim);
    if (rc == 0)
        rc = get_bool_or(p, "use_regex", &regex);
    if (rc < 0)
        return rc;
    l->kind[l->n > 0] = regex ? LEAF_BYTES_CUT : LEAF_BYTES;
    l->prefix_space = prefix;
    *out = tsl_pretok_create_byte_level(prefix, regex, p->err);
    return *out ? 0 : TSL_ENOMEM;
}

static int pre_metaspace(const struct part *p, struct leaves *l, struct tsl_pretok **out)
{
    uint32_t cp = 0;
    struct tsl_slice scheme;
    bool split = true;
    int rc = get_code_point(p, "replacement", &cp);
    if (rc == 0)
        rc = prepend_scheme(p, &scheme);
    if (rc == 0)
        rc = get_bool_or(p, "split", &split);
    if (rc < 0)
        return rc;
    if (!split)
        l->kind[l->n > 0] = LEAF_WHOLE;
    *out = tsl_pretok_create_metaspace(cp,
                                       is(scheme, "always")  ? TSL_PREPEND_ALWAYS
                                       : is(scheme, "first") ? TSL_PREPEND_FIRST
                                                             : TSL_PREPEND_NEVER,
                                       split, p->err);
    return *out ? 0 : TSL_ENOMEM;
}

static int pre_split(const struct part *p, struct leaves *l, struct tsl_pretok **out)
{
    struct tsl_slice pattern;
    struct tsl_err why = { 0 };
    enum tsl_split_behavior behavior = TSL_SPLIT_ISOLATED;
    bool regex, invert = false;
    int rc = get_pattern(p, &pattern, &regex);
    if (rc == 0)
        rc = get_behavior(p, false, &behavior);
    if (rc == 0)
        rc = get_bool(p, "invert", &invert);
    if (rc < 0)
        return rc;
    /* where every byte is in a match, what is not matched and thrown away is nothing */
    if (regex && behavior == (invert ? TSL_SPLIT_REMOVED : TSL_SPLIT_ISOLATED)) {
        l->kind[l->n > 0] = LEAF_SPLIT;
        l->pattern = tsl_splitpat_find(pattern);
        if (l->pattern == TSL_SPLITPAT_UNKNOWN || l->pattern >= TSL_SPLITPAT_DEEPSEEK)
            l->kind[l->n > 0] = LEAF_OTHER;
    }
    *out = regex ? tsl_pretok_create_split_regex(pattern, behavior, invert, &why)
                 : tsl_pretok_create_split(pattern, behavior, invert, &why);
    return *out ? 0 : failed(p, why.code, &why);
}

/* The components that take one parameter or none. */
static int pre_simple(const struct part *p, struct leaves *l, struct tsl_pretok **out)
{
    enum tsl_split_behavior behavior = TSL_SPLIT_ISOLATED;
    struct tsl_err why = { 0 };
    uint32_t cp = 0;
    uint64_t length = 5;
    bool individual = false;
    int rc = 0;
    if (is(p->type, "BertPreTokenizer")) {
        l->kind[l->n > 0] = LEAF_BERT;
        *out = tsl_pretok_create_bert(&why);
    } else if (is(p->type, "Whitespace")) {
        *out = tsl_pretok_create_whitespace(&why);
    } else if (is(p->type, "WhitespaceSplit")) {
        *out = tsl_pretok_create_whitespace_split(&why);
    } else if (is(p->type, "UnicodeScripts")) {
        *out = tsl_pretok_create_scripts(&why);
    } else if (is(p->type, "Punctuation")) {
        rc = get_behavior(p, true, &behavior);
        if (rc == 0)
            *out = tsl_pretok_create_punctuation(behavior, &why);
    } else if (is(p->type, "Digits")) {
        rc = get_bool(p, "individual_digits", &individual);
        if (rc == 0)
            *out = tsl_pretok_create_digits(individual, &why);
    } else if (is(p->type, "CharDelimiterSplit")) {
        rc = get_code_point(p, "delimiter", &cp);
        if (rc == 0)
            *out = tsl_pretok_create_delimiter(cp, &why);
    } else if (is(p->type, "FixedLength")) {
        rc = get_count_or(p, "length", UINT32_MAX, &length);
        if (rc == 0)
            *out = tsl_pretok_create_fixed_length((size_t)length, &why);
    } else {
        return unknown_type(p);
    }
    return rc < 0 ? rc : *out ? 0 : failed(p, why.code, &why);
}

static int pre_any(struct tsl_hfpipe *pipe, json v, const char *file, struct leaves *l,
                   struct tsl_pretok **out, struct tsl_err *err);

static int pre_sequence(struct tsl_hfpipe *pipe, const struct part *p, struct leaves *l,
                        struct tsl_pretok **out)
{
    json parts;
    int rc = get_array(p, "pretokenizers", &parts);
    struct tsl_pretok *all = rc == 0 ? tsl_pretok_create_sequence(p->err) : NULL;
    if (rc == 0 && !all)
        rc = TSL_ENOMEM;
    for (size_t i = 0; rc == 0 && i < tsl_jsonread_size(parts); i++) {
        struct tsl_pretok *part = NULL;
        rc = pre_any(pipe, tsl_jsonread_at(parts, i), p->file, l, &part, p->err);
        if (rc == 0)
            rc = tsl_pretok_append(all, part, p->err);
    }
    if (rc < 0)
        tsl_pretok_destroy(all);
    else
        *out = all;
    return rc;
}

static int pre_any(struct tsl_hfpipe *pipe, json v, const char *file, struct leaves *l,
                   struct tsl_pretok **out, struct tsl_err *err)
{
    struct part p;
    int rc = open_part(&p, file, "pre-tokenizer", v, err);
    if (rc < 0)
        return rc;
    if (is(p.type, "Sequence"))
        return pre_sequence(pipe, &p, l, out);
    l->kind[l->n > 0] = LEAF_OTHER;
    if (is(p.type, "ByteLevel")) {
        rc = pre_byte_level(&p, l, out);
    } else if (is(p.type, "Metaspace")) {
        pipe->metaspace = true;
        rc = pre_metaspace(&p, l, out);
    } else if (is(p.type, "Split")) {
        rc = pre_split(&p, l, out);
    } else {
        rc = pre_simple(&p, l, out);
    }
    l->n++;
    return rc;
}

static void know_leaves(struct tsl_hfpipe *p, const struct leaves *l)
{
    p->split_kind = l->n ? TSL_HFPIPE_SPLIT_OTHER : TSL_HFPIPE_SPLIT_NONE;
    p->one_piece = l->n == 0 || (l->n == 1 && l->kind[0] == LEAF_WHOLE);
    p->prefix_space = l->prefix_space;
    p->pattern = TSL_SPLITPAT_UNKNOWN;
    if (l->n == 1 && l->kind[0] == LEAF_BERT)
        p->split_kind = TSL_HFPIPE_SPLIT_BERT;
    if (l->n == 1 && (l->kind[0] == LEAF_BYTES || l->kind[0] == LEAF_BYTES_CUT)) {
        p->split_kind = TSL_HFPIPE_SPLIT_BYTE_LEVEL;
        if (l->kind[0] == LEAF_BYTES_CUT)
            p->pattern = TSL_SPLITPAT_GPT2;
    }
    /* a blank put in front of each piece is more than one in front of the text */
    if (l->n == 2 && l->kind[0] == LEAF_SPLIT && l->kind[1] == LEAF_BYTES &&
        !l->prefix_space) {
        p->split_kind = TSL_HFPIPE_SPLIT_BYTE_LEVEL;
        p->pattern = l->pattern;
    }
}

int tsl_tokfile_hf_pretok(struct tsl_hfpipe *p, const struct tsl_jsonval *v,
                          const char *name, struct tsl_err *err)
{
    struct tsl_pretok *made = NULL;
    struct leaves l = { .n = 0 };
    int rc = is_null(v) ? 0 : pre_any(p, v, name, &l, &made, err);
    if (rc < 0)
        return rc;
    tsl_pretok_destroy(p->pretok);
    p->pretok = made;
    know_leaves(p, &l);
    return 0;
}

/* ---- post-processor ------------------------------------------------------------------- */

/* ["[SEP]", 102] */
static int get_pair(struct tsl_hfpipe *pipe, const struct part *p, const char *key,
                    struct tsl_postproc_token *token)
{
    json v = tsl_jsonread_get(p->v, key);
    struct tsl_slice s;
    int64_t n;
    if (tsl_jsonread_size(v) != 2 || !tsl_jsonread_str(tsl_jsonread_at(v, 0), &s) ||
        !tsl_jsonread_int(tsl_jsonread_at(v, 1), &n) || n < 0 || n > UINT32_MAX)
        return wrong(p, key, "[token, id]");
    token->id = (uint32_t)n;
    return tsl_postproc_name(&pipe->postproc, s, &token->name, p->err);
}

static int post_bert(struct tsl_hfpipe *pipe, const struct part *p)
{
    struct tsl_postproc_token cls = { 0 }, sep = { 0 };
    bool trim = true, prefix = true, roberta = is(p->type, "RobertaProcessing");
    int rc = get_pair(pipe, p, "sep", &sep);
    if (rc == 0)
        rc = get_pair(pipe, p, "cls", &cls);
    if (rc == 0 && roberta)
        rc = get_bool(p, "trim_offsets", &trim);
    if (rc == 0 && roberta)
        rc = get_bool(p, "add_prefix_space", &prefix);
    if (rc < 0)
        return rc;
    return roberta ? tsl_postproc_roberta(&pipe->postproc, cls, sep, trim, prefix, p->err)
                   : tsl_postproc_bert(&pipe->postproc, cls, sep, p->err);
}

static int post_byte_level(struct tsl_hfpipe *pipe, const struct part *p)
{
    bool trim = true, prefix = true;
    int rc = get_bool(p, "trim_offsets", &trim);
    if (rc == 0)
        rc = get_bool(p, "add_prefix_space", &prefix);
    return rc < 0 ? rc : tsl_postproc_byte_level(&pipe->postproc, trim, prefix, p->err);
}

struct pieces {
    struct tsl_postproc_piece *list;
    size_t n, cap;
};

static int add_piece(const struct part *p, struct pieces *out,
                     struct tsl_postproc_piece piece)
{
    int rc = tsl_mem_grow(&out->list, &out->cap, out->n + 1, sizeof *out->list,
                          "a template", p->err);
    if (rc == 0)
        out->list[out->n++] = piece;
    return rc;
}

/* Whether a member's key, in which NUL is spelled KEY_NUL (see tsl_tokfile_hf_open), is s. */
static bool is_key(struct tsl_slice key, struct tsl_slice s)
{
    size_t at = 0, n = strlen(KEY_NUL);
    for (size_t i = 0; i < s.len; i++) {
        size_t len = s.data[i] ? 1 : n;
        const void *want = s.data[i] ? (const void *)&s.data[i] : KEY_NUL;
        if (key.len - at < len || memcmp(key.data + at, want, len) != 0)
            return false;
        at += len;
    }
    return at == key.len;
}

/* The ids that the special token called id stands for, as pieces. */
static int template_special(struct tsl_hfpipe *pipe, const struct part *p,
                            struct tsl_slice id, uint8_t type_id, struct pieces *out)
{
    json specials = tsl_jsonread_get(p->v, "special_tokens"), ids = NULL, names = NULL;
    struct tsl_jsonread_member m = { 0 };
    int rc = 0;
    while (tsl_jsonread_next(specials, &m))
        if (is_key(m.key, id)) {
            ids = tsl_jsonread_get(m.value, "ids");
            names = tsl_jsonread_get(m.value, "tokens");
        }
    if (tsl_jsonread_kind(ids) != TSL_JSON_ARRAY)
        return tsl_err_set(p->err, TSL_EFORMAT,
                           "%s: %s %s: \"special_tokens\" does not have %s with its ids",
                           p->file, p->role, tsl_tokfile_quote(p->type).s,
                           tsl_tokfile_quote(id).s);
    size_t count = tsl_jsonread_size(ids);
    if (!count)
        rc = add_piece(p, out,
                       (struct tsl_postproc_piece){ .kind = TSL_POSTPROC_NOTHING });
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct tsl_postproc_piece piece = { .kind = TSL_POSTPROC_ID,
                                            .type_id = type_id,
                                            .more = i > 0 };
        struct tsl_slice name;
        int64_t n;
        if (!tsl_jsonread_int(tsl_jsonread_at(ids, i), &n) || n < 0 || n > UINT32_MAX)
            return wrong(p, "special_tokens", "a map to whole numbers in range");
        piece.id = (uint32_t)n;
        if (tsl_jsonread_str(tsl_jsonread_at(names, i), &name))
            rc = tsl_postproc_name(&pipe->postproc, name, &piece.name, p->err);
        if (rc == 0)
            rc = add_piece(p, out, piece);
    }
    return rc;
}

/* "A", "$A", "$B:1", "[CLS]:0" of a template that is spelled as one string or a list of
 * strings are not read: the peer writes objects. */
static int template_piece(struct tsl_hfpipe *pipe, const struct part *p, const char *key,
                          json v, struct pieces *out)
{
    json inner = tsl_jsonread_get(v, "Sequence");
    bool sequence = inner != NULL;
    struct tsl_slice id;
    int64_t type_id;
    if (!inner)
        inner = tsl_jsonread_get(v, "SpecialToken");
    if (!tsl_jsonread_str(tsl_jsonread_get(inner, "id"), &id) ||
        !tsl_jsonread_int(tsl_jsonread_get(inner, "type_id"), &type_id) ||
        (sequence && !is(id, "A") && !is(id, "B")))
        return wrong(p, key, "made of Sequence (A or B) and SpecialToken with a type_id");
    if (type_id < 0 || type_id > UINT8_MAX)
        return tsl_err_set(p->err, TSL_EFORMAT,
                           "%s: %s %s: type_id %" PRId64 " is not in 0 to 255", p->file,
                           p->role, tsl_tokfile_quote(p->type).s, type_id);
    if (!sequence)
        return template_special(pipe, p, id, (uint8_t)type_id, out);
    return add_piece(p, out,
                     (struct tsl_postproc_piece){
                         .kind = is(id, "B") ? TSL_POSTPROC_SECOND : TSL_POSTPROC_FIRST,
                         .type_id = (uint8_t)type_id });
}

static int post_template(struct tsl_hfpipe *pipe, const struct part *p)
{
    static const char *const keys[2] = { "single", "pair" };
    struct pieces pieces[2] = { { .n = 0 }, { .n = 0 } };
    struct tsl_err why = { 0 };
    int rc = 0;
    for (int k = 0; rc == 0 && k < 2; k++) {
        json list;
        rc = get_array(p, keys[k], &list);
        for (size_t i = 0; rc == 0 && i < tsl_jsonread_size(list); i++)
            rc = template_piece(pipe, p, keys[k], tsl_jsonread_at(list, i), &pieces[k]);
    }
    if (rc == 0) {
        rc = tsl_postproc_template(&pipe->postproc, pieces[0].list, pieces[0].n,
                                   pieces[1].list, pieces[1].n, &why);
        if (rc < 0)
            rc = failed(p, rc, &why);
    }
    tsl_mem_free(pieces[0].list);
    tsl_mem_free(pieces[1].list);
    return rc;
}

static int post_any(struct tsl_hfpipe *pipe, json v, const char *file,
                    struct tsl_err *err)
{
    struct part p;
    json parts;
    int rc = open_part(&p, file, "post-processor", v, err);
    if (rc < 0)
        return rc;
    if (is(p.type, "BertProcessing") || is(p.type, "RobertaProcessing"))
        return post_bert(pipe, &p);
    if (is(p.type, "ByteLevel"))
        return post_byte_level(pipe, &p);
    if (is(p.type, "TemplateProcessing"))
        return post_template(pipe, &p);
    if (!is(p.type, "Sequence"))
        return unknown_type(&p);
    rc = get_array(&p, "processors", &parts);
    for (size_t i = 0; rc == 0 && i < tsl_jsonread_size(parts); i++)
        rc = post_any(pipe, tsl_jsonread_at(parts, i), file, err);
    return rc;
}

int tsl_tokfile_hf_postproc(struct tsl_hfpipe *p, const struct tsl_jsonval *v,
                            const char *name, struct tsl_err *err)
{
    tsl_postproc_fini(&p->postproc);
    int rc = tsl_postproc_init(&p->postproc, err);
    return rc < 0 || is_null(v) ? rc : post_any(p, v, name, err);
}

int tsl_tokfile_hf_truncation(struct tsl_hfpipe *p, const struct tsl_jsonval *v,
                              const char *name, struct tsl_err *err)
{
    struct part part = { .file = name, .role = "part", .v = v, .err = err };
    struct tsl_slice s = slice("LongestFirst"), direction = slice("Right");
    uint64_t max = 0, stride = 0;
    p->has_truncation = false;
    if (is_null(v))
        return 0;
    part.type = slice("truncation");
    int rc = get_count(&part, "max_length", UINT32_MAX, &max);
    if (rc == 0)
        rc = get_count(&part, "stride", UINT32_MAX, &stride);
    if (rc == 0)
        rc = get_str(&part, "strategy", &s);
    if (rc == 0)
        rc = get_str_or(&part, "direction", &direction);
    if (rc < 0)
        return rc;
    if (!is(s, "LongestFirst") && !is(s, "OnlyFirst") && !is(s, "OnlySecond"))
        return wrong(&part, "strategy", "LongestFirst, OnlyFirst or OnlySecond");
    if (!is(direction, "Left") && !is(direction, "Right"))
        return wrong(&part, "direction", "Left or Right");
    p->truncation = (struct tsl_truncation){ .max_length = (size_t)max,
                                             .stride = (size_t)stride,
                                             .strategy = is(s, "LongestFirst")
                                                             ? TSL_TRUNCATE_LONGEST_FIRST
                                                         : is(s, "OnlyFirst")
                                                             ? TSL_TRUNCATE_ONLY_FIRST
                                                             : TSL_TRUNCATE_ONLY_SECOND,
                                             .left = is(direction, "Left") };
    p->has_truncation = true;
    return 0;
}

int tsl_tokfile_hf_padding(struct tsl_hfpipe *p, const struct tsl_jsonval *v,
                           const char *name, struct tsl_err *err)
{
    struct part part = { .file = name, .role = "part", .v = v, .err = err };
    struct tsl_slice s, direction = slice("Right");
    uint64_t multiple = 0, id = 0, type_id = 0, fixed = 0;
    uint16_t spelling = 0;
    int64_t n = 0;
    p->has_padding = false;
    if (is_null(v))
        return 0;
    part.type = slice("padding");
    json strategy = tsl_jsonread_get(v, "strategy");
    bool longest = tsl_jsonread_str(strategy, &s) && is(s, "BatchLongest");
    if (!longest && (!tsl_jsonread_int(tsl_jsonread_get(strategy, "Fixed"), &n) ||
                     n < 0 || n > UINT32_MAX))
        return wrong(&part, "strategy", "\"BatchLongest\" or {\"Fixed\": number}");
    fixed = (uint64_t)n;
    int rc = get_count_or(&part, "pad_to_multiple_of", UINT32_MAX, &multiple);
    if (rc == 0)
        rc = get_count(&part, "pad_id", UINT32_MAX, &id);
    if (rc == 0)
        rc = get_count(&part, "pad_type_id", UINT8_MAX, &type_id);
    if (rc == 0)
        rc = get_str(&part, "pad_token", &s);
    if (rc == 0)
        rc = tsl_postproc_name(&p->postproc, s, &spelling, err);
    if (rc == 0)
        rc = get_str_or(&part, "direction", &direction);
    if (rc < 0)
        return rc;
    if (!is(direction, "Left") && !is(direction, "Right"))
        return wrong(&part, "direction", "Left or Right");
    p->padding = (struct tsl_padding){ .fixed = (size_t)fixed,
                                       .multiple = (size_t)multiple,
                                       .id = (uint32_t)id,
                                       .name = spelling,
                                       .type_id = (uint8_t)type_id,
                                       .left = is(direction, "Left") };
    p->has_padding = true;
    return 0;
}

/* ---- decoder -------------------------------------------------------------------------- */

static int decode_metaspace(struct tsl_detok *d, const struct part *p)
{
    struct tsl_slice replacement, scheme;
    int rc = get_char(p, "replacement", &replacement);
    if (rc == 0)
        rc = prepend_scheme(p, &scheme);
    return rc < 0 ? rc
                  : tsl_detok_add_metaspace(d, replacement, is(scheme, "never"), p->err);
}

static int decode_strip(struct tsl_detok *d, const struct part *p)
{
    struct tsl_slice content;
    uint64_t start = 0, stop = 0;
    int rc = get_char(p, "content", &content);
    if (rc == 0)
        rc = get_count(p, "start", UINT32_MAX, &start);
    if (rc == 0)
        rc = get_count(p, "stop", UINT32_MAX, &stop);
    return rc < 0 ? rc
                  : tsl_detok_add_strip(d, content, (size_t)start, (size_t)stop, p->err);
}

static int decode_replace(struct tsl_detok *d, const struct part *p)
{
    struct tsl_slice pattern, content;
    struct tsl_err why = { 0 };
    bool regex;
    int rc = get_replace(p, &pattern, &regex, &content);
    if (rc < 0)
        return rc;
    rc = tsl_detok_add_replace(d, pattern, regex, content, &why);
    return rc < 0 ? failed(p, rc, &why) : 0;
}

static int decode_ctc(struct tsl_detok *d, const struct part *p)
{
    struct tsl_slice pad, word;
    bool cleanup = true;
    int rc = get_str(p, "pad_token", &pad);
    if (rc == 0)
        rc = get_str(p, "word_delimiter_token", &word);
    if (rc == 0)
        rc = get_bool(p, "cleanup", &cleanup);
    return rc < 0 ? rc : tsl_detok_add_ctc(d, pad, word, cleanup, p->err);
}

static int decode_wordpiece(struct tsl_detok *d, const struct part *p)
{
    struct tsl_slice prefix;
    bool cleanup = true;
    int rc = get_str(p, "prefix", &prefix);
    if (rc == 0)
        rc = get_bool(p, "cleanup", &cleanup);
    return rc < 0 ? rc : tsl_detok_add_wordpiece(d, prefix, cleanup, p->err);
}

static int decode_any(struct tsl_detok *d, json v, const char *file, struct tsl_err *err)
{
    struct part p;
    struct tsl_slice s;
    json parts;
    int rc = open_part(&p, file, "decoder", v, err);
    if (rc < 0)
        return rc;
    if (is(p.type, "WordPiece"))
        return decode_wordpiece(d, &p);
    if (is(p.type, "ByteLevel"))
        return tsl_detok_add_byte_level(d, err);
    if (is(p.type, "ByteFallback"))
        return tsl_detok_add_byte_fallback(d, err);
    if (is(p.type, "Fuse"))
        return tsl_detok_add_fuse(d, err);
    if (is(p.type, "Metaspace"))
        return decode_metaspace(d, &p);
    if (is(p.type, "Strip"))
        return decode_strip(d, &p);
    if (is(p.type, "Replace"))
        return decode_replace(d, &p);
    if (is(p.type, "CTC"))
        return decode_ctc(d, &p);
    if (is(p.type, "BPEDecoder")) {
        rc = get_str(&p, "suffix", &s);
        return rc < 0 ? rc : tsl_detok_add_bpe(d, s, err);
    }
    if (!is(p.type, "Sequence"))
        return unknown_type(&p);
    rc = get_array(&p, "decoders", &parts);
    for (size_t i = 0; rc == 0 && i < tsl_jsonread_size(parts); i++)
        rc = decode_any(d, tsl_jsonread_at(parts, i), file, err);
    return rc;
}

int tsl_tokfile_hf_decoder(struct tsl_hfpipe *p, const struct tsl_jsonval *v,
                           const char *name, struct tsl_err *err)
{
    struct tsl_detok *d = tsl_detok_create(err);
    int rc = d ? 0 : TSL_ENOMEM;
    if (rc == 0 && !is_null(v))
        rc = decode_any(d, v, name, err);
    /* an empty Sequence does not put blanks between tokens as no decoder does */
    if (rc == 0 && !is_null(v) && tsl_detok_is_empty(d))
        rc = tsl_detok_add_fuse(d, err);
    if (rc < 0) {
        tsl_detok_destroy(d);
        return rc;
    }
    tsl_detok_destroy(p->detok);
    p->detok = d;
    return 0;
}

/* ---- added tokens --------------------------------------------------------------------- */

static void note(struct tsl_tokfile_hf_notes *notes, const char *line)
{
    size_t n = notes ? strlen(notes->text) : 0;
    if (notes && n + strlen(line) + 2 < sizeof notes->text)
        snprintf(notes->text + n, sizeof notes->text - n, "%s%s", n ? "\n" : "", line);
}

int tsl_tokfile_hf_added(struct tsl_hfpipe *p, const struct tsl_jsonval *v,
                         const char *name, struct tsl_tokfile_hf_notes *notes,
                         struct tsl_err *err)
{
    struct part part = { .file = name, .role = "part", .v = v, .err = err };
    size_t lies = 0;
    char line[200] = "";
    part.type = slice("added_tokens");
    if (is_null(v))
        return 0;
    if (tsl_jsonread_kind(v) != TSL_JSON_ARRAY)
        return tsl_err_set(err, TSL_EFORMAT, "%s: added_tokens must be an array, not %s",
                           name, tsl_jsonread_kind_name(v));
    for (size_t i = 0; i < tsl_jsonread_size(v); i++) {
        struct tsl_addedtok_def def = { .id = 0 };
        uint64_t told = 0;
        int64_t id;
        part.v = tsl_jsonread_at(v, i);
        int rc = get_str(&part, "content", &def.content);
        if (rc == 0)
            rc = get_count(&part, "id", UINT32_MAX, &told);
        if (rc == 0)
            rc = get_bool(&part, "single_word", &def.single_word);
        if (rc == 0)
            rc = get_bool(&part, "lstrip", &def.lstrip);
        if (rc == 0)
            rc = get_bool(&part, "rstrip", &def.rstrip);
        if (rc == 0)
            rc = get_bool(&part, "normalized", &def.normalized);
        if (rc == 0)
            rc = get_bool(&part, "special", &def.special);
        if (rc == 0)
            rc = tsl_addedtok_add(p->added, p->vocab, p->vocab_count, &def, &id, err);
        if (rc < 0)
            return rc;
        if (id >= 0 && id != (int64_t)told && !lies++)
            snprintf(line, sizeof line,
                     "%.60s: added token %.60s has id %" PRId64 ", not %" PRIu64, name,
                     tsl_tokfile_quote(def.content).s, id, told);
    }
    if (lies)
        note(notes, line);
    if (lies > 1) {
        snprintf(line, sizeof line,
                 "%.60s: %zu more added tokens have other ids than told", name, lies - 1);
        note(notes, line);
    }
    return 0;
}

/* ---- model ---------------------------------------------------------------------------- */

/* A copy of s (data NULL stays so) in *text, with s pointing to it. */
static int keep(uint8_t **text, struct tsl_slice *s, struct tsl_err *err)
{
    if (!s->data)
        return 0;
    *text = tsl_mem_alloc(s->len + 1, 1, "a token", err);
    if (!*text)
        return TSL_ENOMEM;
    if (s->len)
        memcpy(*text, s->data, s->len);
    s->data = *text;
    return 0;
}

static int keep_texts(struct tsl_hfpipe *p, struct tsl_err *err)
{
    int rc = keep(&p->unk_text, &p->unk, err);
    if (rc == 0)
        rc = keep(&p->prefix_text, &p->prefix, err);
    return rc < 0 ? rc : keep(&p->suffix_text, &p->suffix, err);
}

static int read_vocab(struct tsl_hfpipe *pipe, const struct part *p)
{
    char where[300];
    snprintf(where, sizeof where, "%.200s: model %.60s", p->file,
             tsl_tokfile_quote(p->type).s);
    int rc = 0;
    if (!pipe->vocab) /* it has not been read by itself */
        rc = tsl_tokfile_gpt2_object(&pipe->vocab, tsl_jsonread_get(p->v, "vocab"), where,
                                     p->err);
    if (rc == 0)
        pipe->vocab_count = tsl_vocab_count(pipe->vocab);
    return rc;
}

static int model_wordpiece(struct tsl_hfpipe *pipe, const struct part *p)
{
    uint64_t max = 0;
    int rc = get_str(p, "unk_token", &pipe->unk);
    if (rc == 0)
        rc = get_str(p, "continuing_subword_prefix", &pipe->prefix);
    if (rc == 0)
        rc = get_count(p, "max_input_chars_per_word", UINT32_MAX, &max);
    if (rc == 0)
        rc = read_vocab(pipe, p);
    if (rc == 0)
        rc = keep_texts(pipe, p->err);
    pipe->chars_max = (size_t)max;
    if (rc == 0)
        pipe->model = TSL_HFPIPE_WORDPIECE;
    return rc;
}

static int model_wordlevel(struct tsl_hfpipe *pipe, const struct part *p)
{
    int rc = get_str(p, "unk_token", &pipe->unk);
    if (rc == 0)
        rc = read_vocab(pipe, p);
    if (rc == 0)
        rc = keep_texts(pipe, p->err);
    if (rc == 0) {
        tsl_wordlevel_init(&pipe->wordlevel, pipe->vocab, pipe->unk);
        pipe->model = TSL_HFPIPE_WORDLEVEL;
    }
    return rc;
}

/* "a b" */
static bool split_merge(struct tsl_slice s, struct tsl_slice *left,
                        struct tsl_slice *right)
{
    const uint8_t *end = s.data + s.len;
    const uint8_t *blank = s.len ? memchr(s.data, ' ', s.len) : NULL;
    if (!blank || memchr(blank + 1, ' ', (size_t)(end - blank - 1)))
        return false;
    *left = (struct tsl_slice){ s.data, (size_t)(blank - s.data) };
    *right = (struct tsl_slice){ blank + 1, (size_t)(end - blank - 1) };
    return true;
}

static int read_merges(struct tsl_hfpipe *pipe, const struct part *p)
{
    json list;
    size_t skip = pipe->prefix.len;
    int rc = get_array(p, "merges", &list);
    for (size_t i = 0; rc == 0 && i < tsl_jsonread_size(list); i++) {
        json v = tsl_jsonread_at(list, i);
        struct tsl_slice whole, left, right;
        char where[300];
        snprintf(where, sizeof where, "%.200s: model %.60s: merge %zu", p->file,
                 tsl_tokfile_quote(p->type).s, i);
        bool good = tsl_jsonread_str(v, &whole)
                        ? split_merge(whole, &left, &right)
                        : tsl_jsonread_size(v) == 2 &&
                              tsl_jsonread_str(tsl_jsonread_at(v, 0), &left) &&
                              tsl_jsonread_str(tsl_jsonread_at(v, 1), &right);
        if (!good)
            return tsl_err_set(p->err, TSL_EFORMAT,
                               "%s: neither \"a b\" nor [\"a\", \"b\"]", where);
        rc = tsl_tokfile_merges_add(&pipe->merges, pipe->vocab, left, right, skip, where,
                                    p->err);
    }
    return rc;
}

static int model_bpe(struct tsl_hfpipe *pipe, const struct part *p)
{
    struct tsl_bpe_opts *o = &pipe->bpe_opts;
    json dropout = tsl_jsonread_get(p->v, "dropout");
    struct tsl_err why = { 0 };
    int rc = get_str_or(p, "unk_token", &pipe->unk);
    if (rc == 0)
        rc = get_str_or(p, "continuing_subword_prefix", &pipe->prefix);
    if (rc == 0)
        rc = get_str_or(p, "end_of_word_suffix", &pipe->suffix);
    if (rc == 0)
        rc = get_bool_or(p, "fuse_unk", &o->fuse_unk);
    if (rc == 0)
        rc = get_bool_or(p, "byte_fallback", &o->byte_fallback);
    if (rc == 0)
        rc = get_bool_or(p, "ignore_merges", &o->ignore_merges);
    if (rc == 0 && !is_null(dropout) && !tsl_jsonread_num(dropout, &o->dropout))
        rc = wrong(p, "dropout", "a number or null");
    if (rc == 0)
        rc = read_vocab(pipe, p);
    if (rc == 0)
        rc = read_merges(pipe, p);
    if (rc == 0)
        rc = keep_texts(pipe, p->err);
    if (rc < 0)
        return rc;
    o->unk = pipe->unk;
    o->prefix = pipe->prefix;
    o->suffix = pipe->suffix;
    rc = tsl_bpe_check(pipe->merges.n, o, &why);
    if (rc < 0)
        return failed(p, rc, &why);
    pipe->model = TSL_HFPIPE_BPE;
    return 0;
}

static int model_unigram(struct tsl_hfpipe *pipe, const struct part *p)
{
    json list;
    uint64_t unk = 0;
    bool fallback = false, has_unk = !is_null(tsl_jsonread_get(p->v, "unk_id"));
    struct tsl_err why = { 0 };
    int rc = get_array(p, "vocab", &list);
    size_t n = rc == 0 ? tsl_jsonread_size(list) : 0;
    if (rc == 0 && !n)
        rc =
            tsl_err_set(p->err, TSL_EFORMAT, "%s: the vocabulary has no tokens", p->file);
    if (rc == 0)
        rc = get_count_or(p, "unk_id", n - 1, &unk);
    if (rc == 0)
        rc = get_bool_or(p, "byte_fallback", &fallback);
    if (rc < 0)
        return rc;
    double *scores = tsl_mem_alloc(n, sizeof *scores, "scores", p->err);
    pipe->vocab = scores ? tsl_vocab_create(p->err) : NULL;
    if (!pipe->vocab)
        rc = TSL_ENOMEM;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        json v = tsl_jsonread_at(list, i);
        struct tsl_slice s;
        if (tsl_jsonread_size(v) != 2 || !tsl_jsonread_str(tsl_jsonread_at(v, 0), &s) ||
            !tsl_jsonread_num(tsl_jsonread_at(v, 1), &scores[i]))
            rc = tsl_err_set(p->err, TSL_EFORMAT,
                             "%s: model Unigram: token %zu is not [text, score]", p->file,
                             i);
        if (rc == 0)
            rc = tsl_vocab_add(pipe->vocab, (uint32_t)i, s, p->err);
    }
    if (rc == 0) {
        pipe->vocab_count = n;
        rc = tsl_unigram_init(&pipe->unigram, pipe->vocab, scores,
                              has_unk ? (int64_t)unk : TSL_VOCAB_NONE, fallback, &why);
        if (rc < 0)
            rc = failed(p, rc, &why);
    }
    if (rc == 0)
        pipe->model = TSL_HFPIPE_UNIGRAM;
    tsl_mem_free(scores);
    return rc;
}

/* Files of old have no type there; the peer tries what fits. */
static struct tsl_slice guess_model(json v)
{
    if (tsl_jsonread_get(v, "merges"))
        return slice("BPE");
    if (tsl_jsonread_get(v, "max_input_chars_per_word"))
        return slice("WordPiece");
    return slice(tsl_jsonread_kind(tsl_jsonread_get(v, "vocab")) == TSL_JSON_ARRAY
                     ? "Unigram"
                     : "WordLevel");
}

int tsl_tokfile_hf_model(struct tsl_hfpipe *p, const struct tsl_jsonval *v,
                         const char *name, struct tsl_err *err)
{
    struct part part = { .file = name, .role = "model", .v = v, .err = err };
    if (tsl_jsonread_kind(v) != TSL_JSON_OBJECT)
        return tsl_err_set(err, TSL_EFORMAT, "%s: the model must be an object, not %s",
                           name, tsl_jsonread_kind_name(v));
    part.type = guess_model(v);
    int rc = get_str_or(&part, "type", &part.type);
    if (rc < 0)
        return rc;
    if (is(part.type, "WordPiece"))
        return model_wordpiece(p, &part);
    if (is(part.type, "WordLevel"))
        return model_wordlevel(p, &part);
    if (is(part.type, "BPE"))
        return model_bpe(p, &part);
    if (is(part.type, "Unigram"))
        return model_unigram(p, &part);
    return unknown_type(&part);
}

/* ---- the file ------------------------------------------------------------------------- */

static int parse_all(struct tsl_hfpipe *p, json v, const char *name,
                     struct tsl_tokfile_hf_notes *notes, struct tsl_err *err)
{
    struct tsl_slice version = slice("1.0");
    if (tsl_jsonread_kind(v) != TSL_JSON_OBJECT)
        return tsl_err_set(err, TSL_EFORMAT, "%s: must be an object, not %s", name,
                           tsl_jsonread_kind_name(v));
    if (tsl_jsonread_get(v, "version") &&
        (!tsl_jsonread_str(tsl_jsonread_get(v, "version"), &version) ||
         !is(version, "1.0")))
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: \"version\" %s is not known, only \"1.0\"", name,
                           tsl_tokfile_quote(version).s);
    int rc = tsl_tokfile_hf_model(p, tsl_jsonread_get(v, "model"), name, err);
    if (rc == 0)
        rc = tsl_tokfile_hf_normalizer(p, tsl_jsonread_get(v, "normalizer"), name, err);
    if (rc == 0)
        rc = tsl_tokfile_hf_pretok(p, tsl_jsonread_get(v, "pre_tokenizer"), name, err);
    if (rc == 0)
        rc = tsl_tokfile_hf_postproc(p, tsl_jsonread_get(v, "post_processor"), name, err);
    if (rc == 0)
        rc = tsl_tokfile_hf_decoder(p, tsl_jsonread_get(v, "decoder"), name, err);
    if (rc == 0)
        rc = tsl_tokfile_hf_truncation(p, tsl_jsonread_get(v, "truncation"), name, err);
    if (rc == 0)
        rc = tsl_tokfile_hf_padding(p, tsl_jsonread_get(v, "padding"), name, err);
    if (rc == 0)
        rc = tsl_tokfile_hf_added(p, tsl_jsonread_get(v, "added_tokens"), name, notes,
                                  err);
    return rc < 0 ? rc : tsl_hfpipe_build(p, err);
}

/* Behind the string that begins at i (a quote): the closing quote, or n. */
static size_t string_end(const uint8_t *p, size_t n, size_t i)
{
    for (i++; i < n && p[i] != '"'; i++)
        i += p[i] == '\\';
    return i < n ? i : n;
}

/* text with the NULs of its keys as KEY_NUL: jansson refuses them in keys.  *made: the copy,
 * or NULL where text has none. */
static int spell_nul(struct tsl_slice *text, uint8_t **made, struct tsl_err *err)
{
    const uint8_t *p = text->data;
    size_t n = text->len, to = 0, nul = strlen("\\u0000");
    *made = NULL;
    if (n < nul || !memmem(p, n, "\\u0000", nul))
        return 0;
    uint8_t *out = tsl_mem_alloc(n / nul * strlen(KEY_NUL) + n + 1, 1, "a file", err);
    if (!out)
        return TSL_ENOMEM;
    for (size_t i = 0; i < n;) {
        size_t end = p[i] == '"' ? string_end(p, n, i) : i, k = end + 1;
        while (k < n && end > i && memchr(" \t\r\n", p[k], 4))
            k++;
        bool key = end > i && k < n && p[k] == ':';
        for (; i <= end && i < n; i++) {
            if (key && n - i >= nul && memcmp(p + i, "\\u0000", nul) == 0) {
                memcpy(out + to, KEY_NUL, strlen(KEY_NUL));
                to += strlen(KEY_NUL);
                i += nul - 1;
                continue;
            }
            out[to++] = p[i];
            if (p[i] == '\\' && i < end) /* the two of "\\\\" belong together */
                out[to++] = p[++i];
        }
    }
    *made = out;
    *text = (struct tsl_slice){ out, to };
    return 0;
}

int tsl_tokfile_hf_open(struct tsl_tokfile_hf_doc *d, struct tsl_slice text,
                        const char *name, struct tsl_err *err)
{
    struct tsl_jsonl_path path;
    struct tsl_jsonl_value v;
    char storage[sizeof "model.vocab"];
    uint8_t *rest = NULL, *spelled = NULL, *numbers = NULL;
    *d = (struct tsl_tokfile_hf_doc){ 0 };
    int rc = tsl_jsonl_path_init(&path, "model.vocab", storage, err);
    if (rc == 0 && tsl_jsonl_find(text, &path, 1, &v, NULL) == 0 &&
        v.kind == TSL_JSONL_OBJECT)
        rc = tsl_tokfile_gpt2_flat(&d->vocab, v.raw, err);
    if (rc == 1) {
        rest = tsl_mem_alloc(text.len - v.raw.len + 2, 1, "a vocabulary file", err);
        rc = rest ? 0 : TSL_ENOMEM;
    }
    if (rest) {
        size_t before = (size_t)(v.raw.data - text.data), behind = before + v.raw.len;
        memcpy(rest, text.data, before);
        memcpy(rest + before, "{}", 2);
        memcpy(rest + before + 2, text.data + behind, text.len - behind);
        text = (struct tsl_slice){ rest, text.len - v.raw.len + 2 };
    }
    if (rc == 0)
        rc = spell_nul(&text, &spelled, err);
    if (rc == 0)
        rc = tsl_jsonnum_spell(&text, &numbers, err);
    if (rc == 0)
        rc = tsl_jsonread_parse(&d->doc, text, name, err);
    tsl_mem_free(numbers);
    tsl_mem_free(rest);
    tsl_mem_free(spelled);
    if (rc < 0)
        tsl_tokfile_hf_close(d);
    return rc;
}

void tsl_tokfile_hf_close(struct tsl_tokfile_hf_doc *d)
{
    tsl_jsonread_destroy(d->doc);
    tsl_vocab_destroy(d->vocab);
    *d = (struct tsl_tokfile_hf_doc){ 0 };
}

int tsl_tokfile_hf_take(struct tsl_hfpipe **p, struct tsl_tokfile_hf_doc *d,
                        const char *name, struct tsl_tokfile_hf_notes *notes,
                        struct tsl_err *err)
{
    if (notes)
        notes->text[0] = '\0';
    struct tsl_hfpipe *made = tsl_hfpipe_create(err);
    if (!made)
        return TSL_ENOMEM;
    made->vocab = d->vocab; /* handed over */
    d->vocab = NULL;
    int rc = parse_all(made, tsl_jsonread_root(d->doc), name, notes, err);
    if (rc < 0)
        tsl_hfpipe_destroy(made);
    else
        *p = made;
    return rc;
}

int tsl_tokfile_hf_parse(struct tsl_hfpipe **p, struct tsl_slice text, const char *name,
                         struct tsl_tokfile_hf_notes *notes, struct tsl_err *err)
{
    struct tsl_tokfile_hf_doc doc;
    struct tsl_hfpipe *made;
    int rc = tsl_tokfile_hf_open(&doc, text, name, err);
    if (rc < 0)
        return rc;
    rc = tsl_tokfile_hf_take(&made, &doc, name, notes, err);
    tsl_tokfile_hf_close(&doc);
    if (rc < 0)
        return rc;
    rc = tsl_hfpipe_finish(made, err);
    if (rc < 0)
        tsl_hfpipe_destroy(made);
    else
        *p = made;
    return rc;
}
