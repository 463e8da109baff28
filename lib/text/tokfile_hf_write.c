#include "text/tokfile_hf_write.h"

#include <string.h>

#include "base/json.h"
#include "text/tokfile_gpt2.h"
#include "text/vocab.h"

static bool is_text(struct tsl_slice s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.data, text, s.len) == 0;
}

/* The id of a special token, or def->nspecials. */
static size_t find_special(const struct tsl_tokfile_def *def, const char *text)
{
    size_t id = 0;
    while (id < def->nspecials && !is_text(def->tokens[id], text))
        id++;
    return id;
}

/* Up to the added tokens. */
static void begin(struct tsl_json *j)
{
    tsl_json_open(j, NULL, '{');
    tsl_json_str(j, "version", "1.0");
    tsl_json_null(j, "truncation");
    tsl_json_null(j, "padding");
    tsl_json_open(j, "added_tokens", '[');
}

static void put_added(struct tsl_json *j, size_t id, struct tsl_slice text,
                      bool normalized, bool special)
{
    tsl_json_open(j, NULL, '{');
    tsl_json_u64(j, "id", id);
    tsl_json_slice(j, "content", text);
    tsl_json_bool(j, "single_word", false);
    tsl_json_bool(j, "lstrip", false);
    tsl_json_bool(j, "rstrip", false);
    tsl_json_bool(j, "normalized", normalized);
    tsl_json_bool(j, "special", special);
    tsl_json_close(j, '}');
}

static void put_head(struct tsl_json *j, const struct tsl_tokfile_def *def)
{
    begin(j);
    for (size_t id = 0; id < def->nspecials + def->nsymbols; id++)
        put_added(j, id, def->tokens[id], false, id < def->nspecials);
    tsl_json_close(j, ']');
}

static int end(struct tsl_json *j, struct tsl_tokfile_out *f, struct tsl_err *err)
{
    tsl_json_close(j, '}');
    int rc = tsl_json_end(j, err);
    return rc < 0 ? rc : tsl_tokfile_put(f, j->text, j->len, err);
}

/* ---- WordPiece ---- */

static void put_piece(struct tsl_json *j, const char *kind, const char *id, unsigned type)
{
    tsl_json_open(j, NULL, '{');
    tsl_json_open(j, kind, '{');
    tsl_json_str(j, "id", id);
    tsl_json_u64(j, "type_id", type);
    tsl_json_close(j, '}');
    tsl_json_close(j, '}');
}

static void put_named(struct tsl_json *j, const char *name, size_t id)
{
    tsl_json_open(j, name, '{');
    tsl_json_str(j, "id", name);
    tsl_json_open(j, "ids", '[');
    tsl_json_u64(j, NULL, id);
    tsl_json_close(j, ']');
    tsl_json_open(j, "tokens", '[');
    tsl_json_str(j, NULL, name);
    tsl_json_close(j, ']');
    tsl_json_close(j, '}');
}

static void put_template(struct tsl_json *j, size_t cls, size_t sep)
{
    tsl_json_open(j, "post_processor", '{');
    tsl_json_str(j, "type", "TemplateProcessing");
    for (int pair = 0; pair < 2; pair++) {
        tsl_json_open(j, pair ? "pair" : "single", '[');
        put_piece(j, "SpecialToken", "[CLS]", 0);
        put_piece(j, "Sequence", "A", 0);
        put_piece(j, "SpecialToken", "[SEP]", 0);
        if (pair) {
            put_piece(j, "Sequence", "B", 1);
            put_piece(j, "SpecialToken", "[SEP]", 1);
        }
        tsl_json_close(j, ']');
    }
    tsl_json_open(j, "special_tokens", '{');
    put_named(j, "[CLS]", cls);
    put_named(j, "[SEP]", sep);
    tsl_json_close(j, '}');
    tsl_json_close(j, '}');
}

static int put_wordpiece(struct tsl_json *j, const struct tsl_tokfile_def *def,
                         const struct tsl_bertnorm *norm, struct tsl_err *err)
{
    size_t cls = find_special(def, "[CLS]"), sep = find_special(def, "[SEP]");
    put_head(j, def);
    tsl_json_open(j, "normalizer", '{');
    tsl_json_str(j, "type", "BertNormalizer");
    tsl_json_bool(j, "clean_text", norm->clean_text);
    tsl_json_bool(j, "handle_chinese_chars", norm->handle_chinese_chars);
    if (norm->strip_accents == norm->lowercase) /* as the published files spell it */
        tsl_json_null(j, "strip_accents");
    else
        tsl_json_bool(j, "strip_accents", norm->strip_accents);
    tsl_json_bool(j, "lowercase", norm->lowercase);
    tsl_json_close(j, '}');
    tsl_json_open(j, "pre_tokenizer", '{');
    tsl_json_str(j, "type", "BertPreTokenizer");
    tsl_json_close(j, '}');
    if (cls < def->nspecials && sep < def->nspecials)
        put_template(j, cls, sep);
    else
        tsl_json_null(j, "post_processor");
    tsl_json_open(j, "decoder", '{');
    tsl_json_str(j, "type", "WordPiece");
    tsl_json_str(j, "prefix", "##");
    tsl_json_bool(j, "cleanup", true);
    tsl_json_close(j, '}');
    tsl_json_open(j, "model", '{');
    tsl_json_str(j, "type", "WordPiece");
    tsl_json_str(j, "unk_token", "[UNK]");
    tsl_json_str(j, "continuing_subword_prefix", "##");
    tsl_json_u64(j, "max_input_chars_per_word", 100);
    int rc = tsl_tokfile_gpt2_put_vocab(j, "vocab", def, err);
    tsl_json_close(j, '}');
    return rc;
}

int tsl_tokfile_hf_write_wordpiece(struct tsl_tokfile_out *f,
                                   const struct tsl_tokfile_def *def,
                                   const struct tsl_bertnorm *norm, struct tsl_err *err)
{
    struct tsl_json j = { 0 };
    if (find_special(def, "[UNK]") == def->nspecials)
        return tsl_err_set(err, TSL_EUSAGE,
                           "the special tokens lack [UNK], which words become that "
                           "cannot be spelled");
    int rc = put_wordpiece(&j, def, norm, err);
    if (rc == 0)
        rc = end(&j, f, err);
    tsl_json_fini(&j);
    return rc;
}

/* ---- byte-level BPE ---- */

static void put_bytelevel(struct tsl_json *j, const char *key, bool prefix_space,
                          bool trim, bool regex)
{
    tsl_json_open(j, key, '{');
    tsl_json_str(j, "type", "ByteLevel");
    tsl_json_bool(j, "add_prefix_space", prefix_space);
    tsl_json_bool(j, "trim_offsets", trim);
    tsl_json_bool(j, "use_regex", regex);
    tsl_json_close(j, '}');
}

/* GPT-2's pattern is the part's own, others are a Split in front of it. */
static void put_pretok(struct tsl_json *j, enum tsl_splitpat pattern, bool prefix_space)
{
    if (pattern == TSL_SPLITPAT_GPT2 || pattern == TSL_SPLITPAT_UNKNOWN) {
        put_bytelevel(j, "pre_tokenizer", prefix_space, true,
                      pattern == TSL_SPLITPAT_GPT2);
        return;
    }
    tsl_json_open(j, "pre_tokenizer", '{');
    tsl_json_str(j, "type", "Sequence");
    tsl_json_open(j, "pretokenizers", '[');
    tsl_json_open(j, NULL, '{');
    tsl_json_str(j, "type", "Split");
    tsl_json_open(j, "pattern", '{');
    tsl_json_str(j, "Regex", tsl_splitpat_regex(pattern));
    tsl_json_close(j, '}');
    tsl_json_str(j, "behavior", "Isolated");
    tsl_json_bool(j, "invert", false);
    tsl_json_close(j, '}');
    put_bytelevel(j, NULL, prefix_space, true, false);
    tsl_json_close(j, ']');
    tsl_json_close(j, '}');
}

static int put_bpe_model(struct tsl_json *j, const struct tsl_tokfile_def *def,
                         struct tsl_err *err)
{
    struct tsl_tokfile_out line = { 0 };
    tsl_json_open(j, "model", '{');
    tsl_json_str(j, "type", "BPE");
    tsl_json_null(j, "dropout");
    tsl_json_null(j, "unk_token");
    tsl_json_null(j, "continuing_subword_prefix");
    tsl_json_null(j, "end_of_word_suffix");
    tsl_json_bool(j, "fuse_unk", false);
    tsl_json_bool(j, "byte_fallback", false);
    tsl_json_bool(j, "ignore_merges", false);
    int rc = tsl_tokfile_gpt2_put_vocab(j, "vocab", def, err);
    tsl_json_open(j, "merges", '[');
    for (size_t i = 0; i < def->nmerges && rc == 0; i++) {
        line.len = 0;
        rc = tsl_tokfile_gpt2_put_merge(&line, def, i, err);
        tsl_json_slice(j, NULL, (struct tsl_slice){ line.bytes, line.len });
    }
    tsl_json_close(j, ']');
    tsl_json_close(j, '}');
    tsl_tokfile_out_fini(&line);
    return rc;
}

int tsl_tokfile_hf_write_bytebpe(struct tsl_tokfile_out *f,
                                 const struct tsl_tokfile_def *def,
                                 enum tsl_splitpat pattern, bool prefix_space,
                                 struct tsl_err *err)
{
    struct tsl_json j = { 0 };
    put_head(&j, def);
    tsl_json_null(&j, "normalizer");
    put_pretok(&j, pattern, prefix_space);
    put_bytelevel(&j, "post_processor", true, false, true);
    put_bytelevel(&j, "decoder", true, true, true);
    int rc = put_bpe_model(&j, def, err);
    if (rc == 0)
        rc = end(&j, f, err);
    tsl_json_fini(&j);
    return rc;
}

/* ---- SentencePiece's ---- */

static const char UNDERLINE[] = "\xe2\x96\x81";

/* A Replace: of a regex, or of a string. */
static void put_replace(struct tsl_json *j, const char *what, const char *pattern,
                        const char *content)
{
    tsl_json_open(j, NULL, '{');
    tsl_json_str(j, "type", "Replace");
    tsl_json_open(j, "pattern", '{');
    tsl_json_str(j, what, pattern);
    tsl_json_close(j, '}');
    tsl_json_str(j, "content", content);
    tsl_json_close(j, '}');
}

/* Padded base64, to be freed with tsl_tokfile_out_fini. */
static int base64(struct tsl_tokfile_out *to, struct tsl_slice s, struct tsl_err *err)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int rc = 0;
    for (size_t i = 0; i < s.len && rc == 0; i += 3) {
        size_t n = s.len - i < 3 ? s.len - i : 3;
        uint32_t x = (uint32_t)s.data[i] << 16;
        x |= n > 1 ? (uint32_t)s.data[i + 1] << 8 : 0;
        x |= n > 2 ? s.data[i + 2] : 0;
        const char four[4] = { digits[x >> 18], digits[x >> 12 & 63],
                               n > 1 ? digits[x >> 6 & 63] : '=',
                               n > 2 ? digits[x & 63] : '=' };
        rc = tsl_tokfile_put(to, four, sizeof four, err);
    }
    return rc;
}

/* A blank in front of a text comes from Metaspace, which puts one where there is none: so one
 * of those that a text begins with is left.  Where all are kept there may be two, and Prepend
 * has to do it. */
static bool prepends(const struct tsl_spm_normalizer *n)
{
    return n->add_dummy_prefix && !n->remove_extra_whitespaces;
}

static int put_spm_normalizer(struct tsl_json *j, const struct tsl_spm_normalizer *n,
                              struct tsl_err *err)
{
    struct tsl_tokfile_out map = { 0 };
    int rc = base64(&map, n->charsmap, err);
    tsl_json_open(j, "normalizer", '{');
    tsl_json_str(j, "type", "Sequence");
    tsl_json_open(j, "normalizers", '[');
    if (n->charsmap.len) {
        tsl_json_open(j, NULL, '{');
        tsl_json_str(j, "type", "Precompiled");
        tsl_json_slice(j, "precompiled_charsmap",
                       (struct tsl_slice){ map.bytes, map.len });
        tsl_json_close(j, '}');
    }
    if (n->remove_extra_whitespaces) {
        put_replace(j, "Regex", n->add_dummy_prefix ? " +\\z" : "\\A +| +\\z", "");
        put_replace(j, "Regex", " {2,}", " ");
    }
    if (prepends(n)) {
        tsl_json_open(j, NULL, '{');
        tsl_json_str(j, "type", "Prepend");
        tsl_json_str(j, "prepend", UNDERLINE);
        tsl_json_close(j, '}');
        put_replace(j, "String", " ", UNDERLINE);
    }
    tsl_json_close(j, ']');
    tsl_json_close(j, '}');
    tsl_tokfile_out_fini(&map);
    return rc;
}

/* Words are cut apart where no piece reaches from one into the next. */
static void put_metaspace(struct tsl_json *j, const struct tsl_spm_normalizer *n,
                          bool split)
{
    tsl_json_open(j, "pre_tokenizer", '{');
    tsl_json_str(j, "type", "Metaspace");
    tsl_json_str(j, "replacement", UNDERLINE);
    tsl_json_str(j, "prepend_scheme",
                 n->add_dummy_prefix && !prepends(n) ? "first" : "never");
    tsl_json_bool(j, "split", split);
    tsl_json_close(j, '}');
}

static void put_spm_decoder(struct tsl_json *j, const struct tsl_spm_options *o)
{
    tsl_json_open(j, "decoder", '{');
    tsl_json_str(j, "type", "Sequence");
    tsl_json_open(j, "decoders", '[');
    put_replace(j, "String", UNDERLINE, " ");
    for (int i = o->byte_fallback ? 0 : 1; i < 2; i++) {
        tsl_json_open(j, NULL, '{');
        tsl_json_str(j, "type", i == 0 ? "ByteFallback" : "Fuse");
        tsl_json_close(j, '}');
    }
    if (o->normalizer.add_dummy_prefix) {
        tsl_json_open(j, NULL, '{');
        tsl_json_str(j, "type", "Strip");
        tsl_json_str(j, "content", " ");
        tsl_json_u64(j, "start", 1);
        tsl_json_u64(j, "stop", 0);
        tsl_json_close(j, '}');
    }
    tsl_json_close(j, ']');
    tsl_json_close(j, '}');
}

static void put_unigram_model(struct tsl_json *j, const struct tsl_spm_piece *pieces,
                              size_t n, const struct tsl_spm_options *o)
{
    tsl_json_open(j, "model", '{');
    tsl_json_str(j, "type", "Unigram");
    tsl_json_u64(j, "unk_id", (uint64_t)o->unk_id);
    tsl_json_open(j, "vocab", '[');
    for (size_t i = 0; i < n; i++) {
        tsl_json_open(j, NULL, '[');
        tsl_json_slice(j, NULL, pieces[i].text);
        tsl_json_exact(j, NULL, (double)pieces[i].score);
        tsl_json_close(j, ']');
    }
    tsl_json_close(j, ']');
    tsl_json_bool(j, "byte_fallback", o->byte_fallback);
    tsl_json_close(j, '}');
}

static bool is_normal(const struct tsl_spm_piece *pieces, int64_t id)
{
    return id >= 0 && pieces[id].type == TSL_SPM_NORMAL;
}

/* SentencePiece merges any two pieces that make one, the better one first: each is a rule, by
 * the order of what they make. */
static void put_spm_merges(struct tsl_json *j, const struct tsl_spm_piece *pieces,
                           size_t n, const struct tsl_vocab *v,
                           struct tsl_tokfile_out *line, struct tsl_err *err, int *rc)
{
    tsl_json_open(j, "merges", '[');
    for (size_t i = 0; i < n && *rc == 0; i++) {
        struct tsl_slice s = pieces[i].text;
        for (size_t k = 1; k < s.len && is_normal(pieces, (int64_t)i) && *rc == 0; k++) {
            struct tsl_slice left = { s.data, k }, right = { s.data + k, s.len - k };
            if ((s.data[k] & 0xc0) == 0x80 ||
                !is_normal(pieces, tsl_vocab_find(v, left)) ||
                !is_normal(pieces, tsl_vocab_find(v, right)))
                continue;
            line->len = 0;
            *rc = tsl_tokfile_put(line, left.data, left.len, err);
            if (*rc == 0)
                *rc = tsl_tokfile_put(line, " ", 1, err);
            if (*rc == 0)
                *rc = tsl_tokfile_put(line, right.data, right.len, err);
            tsl_json_slice(j, NULL, (struct tsl_slice){ line->bytes, line->len });
        }
    }
    tsl_json_close(j, ']');
}

static int put_spmbpe_model(struct tsl_json *j, const struct tsl_spm_piece *pieces,
                            size_t n, const struct tsl_spm_options *o,
                            struct tsl_err *err)
{
    struct tsl_tokfile_out line = { 0 };
    struct tsl_vocab *v = tsl_vocab_create(err);
    int rc = v ? 0 : TSL_ENOMEM;
    tsl_json_open(j, "model", '{');
    tsl_json_str(j, "type", "BPE");
    tsl_json_null(j, "dropout");
    tsl_json_slice(j, "unk_token", pieces[o->unk_id].text);
    tsl_json_null(j, "continuing_subword_prefix");
    tsl_json_null(j, "end_of_word_suffix");
    tsl_json_bool(j, "fuse_unk", true);
    tsl_json_bool(j, "byte_fallback", o->byte_fallback);
    tsl_json_bool(j, "ignore_merges", false);
    tsl_json_open(j, "vocab", '{');
    for (size_t i = 0; i < n && rc == 0; i++) {
        tsl_json_entry(j, pieces[i].text, i);
        rc = tsl_vocab_add(v, (uint32_t)i, pieces[i].text, err);
    }
    tsl_json_close(j, '}');
    put_spm_merges(j, pieces, n, v, &line, err, &rc);
    tsl_json_close(j, '}');
    tsl_tokfile_out_fini(&line);
    tsl_vocab_destroy(v);
    return rc;
}

int tsl_tokfile_hf_write_spm(struct tsl_tokfile_out *f,
                             const struct tsl_spm_piece *pieces, size_t n,
                             const struct tsl_spm_options *o, bool whitespace_only,
                             struct tsl_err *err)
{
    struct tsl_json j = { 0 };
    begin(&j);
    for (size_t i = 0; i < n; i++) {
        enum tsl_spm_type type = pieces[i].type;
        if (type == TSL_SPM_USER_DEFINED)
            put_added(&j, i, pieces[i].text, true, false);
        else if (type == TSL_SPM_UNKNOWN || type == TSL_SPM_CONTROL)
            put_added(&j, i, pieces[i].text, false, true);
    }
    tsl_json_close(&j, ']');
    int rc = put_spm_normalizer(&j, &o->normalizer, err);
    put_metaspace(&j, &o->normalizer, o->split_by_whitespace && !whitespace_only);
    tsl_json_null(&j, "post_processor");
    put_spm_decoder(&j, o);
    if (rc == 0 && o->algorithm == TSL_SPM_UNIGRAM)
        put_unigram_model(&j, pieces, n, o);
    else if (rc == 0)
        rc = put_spmbpe_model(&j, pieces, n, o, err);
    if (rc == 0)
        rc = end(&j, f, err);
    tsl_json_fini(&j);
    return rc;
}
