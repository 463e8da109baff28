/* instances.h - samples against a line of tests/data/formats/..-instances. */
#ifndef TSL_INSTANCES_H
#define TSL_INSTANCES_H

#include "prep/sample.h"
#include "support/fixture.h"
#include "support/memdocs.h"
#include "support/test.h"

/* The documents of bert-instances, with bert-base-uncased's continued words. */
static inline void instances_docs(struct memdocs *m)
{
    static uint8_t continues[30522 / 8 + 1];
    size_t n, id = 0;
    uint8_t *vocab = fixture_get("tokenizers/bert-base-uncased/vocab.txt", &n);
    for (size_t i = 0; i < n; id++) {
        if (i + 1 < n && vocab[i] == '#' && vocab[i + 1] == '#')
            continues[id / 8] |= (uint8_t)(1 << id % 8);
        while (i < n && vocab[i++] != '\n')
            ;
    }
    assert_int_equal(id, 30522);
    free(vocab);
    uint8_t *docs = fixture_get("formats/bert-instances/docs.jsonl", &n);
    file_put("docs.jsonl", docs, n);
    free(docs);
    memdocs_init(m);
    assert_true(memdocs_read(m, "docs.jsonl", continues, 30522));
}

static inline void instances_same_ints(const struct tsl_jsonval *row, const char *key,
                                       const uint32_t *a, size_t n)
{
    const struct tsl_jsonval *want = tsl_jsonread_get(row, key);
    assert_int_equal(tsl_jsonread_size(want), n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(fixture_int_at(want, i), a[i]);
}

static inline void instances_same(const struct tsl_jsonval *row,
                                  const struct tsl_sample *s)
{
    instances_same_ints(row, "input_ids", s->ids, s->n);
    if (!tsl_jsonread_get(row, "masked_lm_positions"))
        return;
    instances_same_ints(row, "masked_lm_positions", s->places, s->nmasked);
    instances_same_ints(row, "masked_lm_ids", s->targets, s->nmasked);
    assert_int_equal(fixture_int(row, "next_sentence_labels"), s->label);
}

static inline struct tsl_special_ids instances_special(void)
{
    return (struct tsl_special_ids){ .pad = 0,
                                     .unk = 100,
                                     .cls = 101,
                                     .sep = 102,
                                     .mask = 103,
                                     .bos = -1,
                                     .eos = -1,
                                     .vocab_size = 30522 };
}

#endif
