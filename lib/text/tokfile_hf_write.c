#include "text/tokfile_hf_write.h"

#include <string.h>

#include "base/json.h"
#include "text/tokfile_gpt2.h"

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

static void put_head(struct tsl_json *j, const struct tsl_tokfile_def *def)
{
    tsl_json_open(j, NULL, '{');
    tsl_json_str(j, "version", "1.0");
    tsl_json_null(j, "truncation");
    tsl_json_null(j, "padding");
    tsl_json_open(j, "added_tokens", '[');
    for (size_t id = 0; id < def->nspecials + def->nsymbols; id++) {
        tsl_json_open(j, NULL, '{');
        tsl_json_u64(j, "id", id);
        tsl_json_slice(j, "content", def->tokens[id]);
        tsl_json_bool(j, "single_word", false);
        tsl_json_bool(j, "lstrip", false);
        tsl_json_bool(j, "rstrip", false);
        tsl_json_bool(j, "normalized", false);
        tsl_json_bool(j, "special", id < def->nspecials);
        tsl_json_close(j, '}');
    }
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
