#include "text/tokfile_bert.h"

#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"
#include "text/tokfile.h"
#include "text/uniprop.h"

/* What Python's str.strip takes off: Unicode's white space and U+001C to U+001F.  Rust's
 * trim_end does not take the latter. */
static bool is_white(uint32_t cp, enum tsl_rules rules)
{
    if (cp >= 0x1c && cp <= 0x1f)
        return rules != TSL_RULES_HF;
    return tsl_uniprop(cp) & TSL_UNI_WHITE;
}

static struct tsl_slice strip_end(struct tsl_slice s, enum tsl_rules rules)
{
    while (s.len) {
        size_t i = s.len - 1;
        uint32_t cp;
        while (i && (s.data[i] & 0xc0) == 0x80)
            i--;
        tsl_utf8_decode(s.data + i, s.data + s.len, &cp);
        if (!is_white(cp, rules))
            break;
        s.len = i;
    }
    return s;
}

static struct tsl_slice strip_start(struct tsl_slice s, enum tsl_rules rules)
{
    while (s.len) {
        uint32_t cp;
        size_t n = tsl_utf8_decode(s.data, s.data + s.len, &cp);
        if (!is_white(cp, rules))
            break;
        s.data += n;
        s.len -= n;
    }
    return s;
}

static struct tsl_slice first_field(struct tsl_slice s)
{
    size_t i = 0;
    while (i < s.len) {
        uint32_t cp;
        size_t n = tsl_utf8_decode(s.data + i, s.data + s.len, &cp);
        if (is_white(cp, TSL_RULES_BERT4KERAS))
            break;
        i += n;
    }
    return (struct tsl_slice){ s.data, i };
}

static int read_lines(struct tsl_vocab *v, struct tsl_slice text, const char *name,
                      enum tsl_rules rules, struct tsl_err *err)
{
    struct tsl_tokfile_lines l = { .rest = text };
    struct tsl_slice line;
    while (tsl_tokfile_line(&l, &line)) {
        if (tsl_tokfile_utf8_end(line) < line.len)
            return tsl_err_set(err, TSL_EFORMAT, "%s: line %" PRIu64 " is not UTF-8",
                               name, l.number);
        line = strip_end(line, rules);
        if (rules != TSL_RULES_HF)
            line = strip_start(line, rules);
        if (rules == TSL_RULES_BERT4KERAS)
            line = first_field(line);
        int rc = tsl_vocab_add(v, (uint32_t)(l.number - 1), line, err);
        if (rc < 0)
            return rc;
    }
    if (l.number == 0)
        return tsl_err_set(err, TSL_EFORMAT, "%s: no tokens: the file is empty", name);
    return 0;
}

int tsl_tokfile_bert_parse(struct tsl_vocab **v, struct tsl_slice text, const char *name,
                           enum tsl_rules rules, struct tsl_err *err)
{
    struct tsl_vocab *made = tsl_vocab_create(err);
    if (!made)
        return TSL_ENOMEM;
    int rc = read_lines(made, text, name, rules, err);
    if (rc < 0) {
        tsl_vocab_destroy(made);
        return rc;
    }
    *v = made;
    return 0;
}

static int64_t find(const struct tsl_vocab *v, const char *s)
{
    return tsl_vocab_find(v, (struct tsl_slice){ (const uint8_t *)s, strlen(s) });
}

struct tsl_special_tokens tsl_tokfile_bert_specials(const struct tsl_vocab *v)
{
    return (struct tsl_special_tokens){ .pad = find(v, "[PAD]"),
                                        .unk = find(v, "[UNK]"),
                                        .cls = find(v, "[CLS]"),
                                        .sep = find(v, "[SEP]"),
                                        .mask = find(v, "[MASK]"),
                                        .bos = -1,
                                        .eos = -1 };
}

bool tsl_tokfile_bert_cased(const struct tsl_vocab *v)
{
    for (uint32_t id = 0; id < tsl_vocab_size(v); id++) {
        struct tsl_slice s = tsl_vocab_token(v, id);
        uint32_t cp, low[3];
        if (s.len > 2 && ((s.data[0] == '[' && s.data[s.len - 1] == ']') ||
                          (s.data[0] == '<' && s.data[s.len - 1] == '>')))
            continue;
        for (size_t i = 0; i < s.len;) {
            i += tsl_utf8_decode(s.data + i, s.data + s.len, &cp);
            if (tsl_uni_lower(cp, low) != 1 || low[0] != cp)
                return true;
        }
    }
    return false;
}

static bool is_line(struct tsl_slice s)
{
    return s.len && !memchr(s.data, '\n', s.len) && tsl_tokfile_utf8_end(s) == s.len &&
           strip_end(s, TSL_RULES_GOOGLE).len == s.len &&
           strip_start(s, TSL_RULES_GOOGLE).len == s.len;
}

int tsl_tokfile_bert_write(struct tsl_tokfile_out *f, const struct tsl_tokfile_def *def,
                           struct tsl_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < def->ntokens && rc == 0; i++) {
        struct tsl_slice s = def->tokens[i];
        if (!is_line(s))
            return tsl_err_set(err, TSL_EUSAGE, "token %s cannot be a line of vocab.txt",
                               tsl_tokfile_quote(s).s);
        rc = tsl_tokfile_put(f, s.data, s.len, err);
        if (rc == 0)
            rc = tsl_tokfile_put(f, "\n", 1, err);
    }
    return rc;
}
