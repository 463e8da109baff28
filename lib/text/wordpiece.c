#include "text/wordpiece.h"

#include "base/mem.h"
#include "text/tokfile.h"

int tsl_wordpiece_init(struct tsl_wordpiece *w, const struct tsl_vocab *v,
                       struct tsl_slice unk, struct tsl_slice prefix, size_t chars_max,
                       struct tsl_err *err)
{
    size_t n = 0, count = tsl_vocab_count(v);
    struct tsl_slice *keys = tsl_mem_alloc(count, sizeof *keys, "a vocabulary", err);
    uint32_t *ids = tsl_mem_alloc(count, sizeof *ids, "a vocabulary", err);
    int rc = TSL_ENOMEM;
    if (!keys || !ids)
        goto out;
    *w = (struct tsl_wordpiece){ .unk = tsl_vocab_find(v, unk),
                                 .chars_max = chars_max,
                                 .unk_name = tsl_tokfile_quote(unk) };
    for (uint32_t id = 0; id < tsl_vocab_size(v); id++) {
        struct tsl_slice s = tsl_vocab_token(v, id);
        if (s.data && tsl_tokfile_utf8_end(s) == s.len && tsl_vocab_find(v, s) == id) {
            keys[n] = s;
            ids[n++] = id;
        }
    }
    rc = tsl_trie_build(&w->trie, keys, ids, n, err);
    if (rc < 0)
        goto out;
    w->first = tsl_trie_root(&w->trie);
    w->rest = tsl_trie_walk(&w->trie, w->first, prefix);
out:
    tsl_mem_free(keys);
    tsl_mem_free(ids);
    return rc;
}

void tsl_wordpiece_fini(struct tsl_wordpiece *w)
{
    tsl_trie_fini(&w->trie);
}

static bool is_longer(struct tsl_slice word, size_t chars_max)
{
    size_t n = 0;
    if (word.len <= chars_max)
        return false;
    for (size_t i = 0; i < word.len; i++)
        n += (word.data[i] & 0xc0) != 0x80;
    return n > chars_max;
}

int tsl_wordpiece_encode(const struct tsl_wordpiece *w, struct tsl_slice word,
                         struct tsl_tokens *out, struct tsl_err *err)
{
    size_t begin = 0, kept = out->n;
    const uint8_t *end = word.data + word.len;
    if (is_longer(word, w->chars_max))
        goto unknown;
    while (begin < word.len) {
        uint32_t id = 0;
        size_t n = tsl_wordpiece_longest(w, begin ? w->rest : w->first, word.data + begin,
                                         end, &id);
        if (!n)
            goto unknown;
        int rc = tsl_tokens_add(out, id, (uint32_t)begin, (uint32_t)(begin + n), 0, err);
        if (rc < 0)
            return rc;
        begin += n;
    }
    return 0;
unknown:
    out->n = kept;
    if (w->unk == TSL_VOCAB_NONE)
        return tsl_err_set(err, TSL_EFORMAT,
                           "the vocabulary has no tokens for the word %s, and not %s, "
                           "the token for unknown words",
                           tsl_tokfile_quote(word).s, w->unk_name.s);
    return tsl_tokens_add(out, (uint32_t)w->unk, 0, (uint32_t)word.len, TSL_TOKEN_UNKNOWN,
                          err);
}
