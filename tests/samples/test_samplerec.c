#include "support/test.h"

#include <string.h>

#include "samples/samplerec.h"

/* [CLS] 10 11 [SEP] 12 [SEP], the second and the fifth token masked. */
static void make(struct tsl_sample *s)
{
    static const uint32_t ids[] = { 2, 4, 11, 3, 4, 3 };
    assert_ok(tsl_sample_init(s, 16, NULL), NULL);
    tsl_sample_clear(s, 77);
    memcpy(s->ids, ids, sizeof ids);
    memcpy(s->starts, "\1\1\0\1\1\1", 6);
    s->n = 6;
    s->first = 4;
    s->label = 1;
    s->nmasked = 2;
    s->places[0] = 1;
    s->places[1] = 4;
    s->targets[0] = 10;
    s->targets[1] = 12;
}

static const struct tsl_value *value(const struct tsl_samplerec *r,
                                     const struct tsl_record *rec, const char *column)
{
    int c = tsl_schema_find(&r->schema, column);
    assert_true(c >= 0);
    return &rec->values[c];
}

#define assert_values(name, want)                                                        \
    do {                                                                                 \
        assert_int_equal(value(&r, &rec, name)->n * sizeof *(want), sizeof(want));       \
        assert_memory_equal(value(&r, &rec, name)->data, want, sizeof(want));            \
    } while (0)

static void berts_features_are_padded_with_0(void **state)
{
    (void)state;
    struct tsl_sample_shape shape = { .layout = TSL_LAYOUT_BERT,
                                      .labels = true,
                                      .masked = true,
                                      .tokens_max = 8,
                                      .masks_max = 3,
                                      .pad = 9 };
    struct tsl_samplerec r;
    struct tsl_sample s;
    struct tsl_record rec;
    struct tsl_err err = { 0 };
    make(&s);
    assert_ok(tsl_samplerec_init(&r, &shape, 16, &err), &err);
    assert_ok(tsl_samplerec_fill(&r, &s, &rec, &err), &err);
    assert_int_equal(rec.number, 77);
    const uint32_t ids[] = { 2, 4, 11, 3, 4, 3, 0, 0 }, places[] = { 1, 4, 0 },
                   targets[] = { 10, 12, 0 };
    const uint8_t mask[] = { 1, 1, 1, 1, 1, 1, 0, 0 }, label[] = { 1 },
                  segments[] = { 0, 0, 0, 0, 1, 1, 0, 0 };
    const float weights[] = { 1, 1, 0 };
    assert_values("input_ids", ids);
    assert_values("input_mask", mask);
    assert_values("segment_ids", segments);
    assert_values("masked_lm_positions", places);
    assert_values("masked_lm_ids", targets);
    assert_values("masked_lm_weights", weights);
    assert_values("next_sentence_labels", label);
    s.nmasked = 4;
    assert_err(tsl_samplerec_fill(&r, &s, &rec, &err), TSL_EUSAGE, &err,
               "4 masked places, more than 3");
    tsl_samplerec_fini(&r);
    tsl_sample_fini(&s);
}

static void hugging_faces_labels_say_what_stood_there(void **state)
{
    (void)state;
    struct tsl_sample_shape shape = {
        .layout = TSL_LAYOUT_HF, .masked = true, .tokens_max = 8, .pad = 9
    };
    struct tsl_samplerec r;
    struct tsl_sample s;
    struct tsl_record rec;
    struct tsl_err err = { 0 };
    make(&s);
    assert_ok(tsl_samplerec_init(&r, &shape, 16, &err), &err);
    assert_ok(tsl_samplerec_fill(&r, &s, &rec, &err), &err);
    const int32_t ids[] = { 2, 4, 11, 3, 4, 3, 9, 9 },
                  labels[] = { -100, 10, -100, -100, 12, -100, -100, -100 };
    assert_values("input_ids", ids);
    assert_values("labels", labels);
    tsl_samplerec_fini(&r);
    tsl_sample_fini(&s);
}

static void more_targets_than_there_is_room_for_are_refused(void **state)
{
    (void)state;
    struct tsl_sample_shape shape = { .layout = TSL_LAYOUT_NATIVE, .outs = true };
    struct tsl_samplerec r;
    struct tsl_sample s;
    struct tsl_record rec;
    struct tsl_err err = { 0 };
    make(&s);
    s.nmasked = 0;
    s.nouts = 16;
    memset(s.outs, 0, 16 * sizeof *s.outs);
    assert_ok(tsl_samplerec_init(&r, &shape, 8, &err), &err);
    assert_err(tsl_samplerec_fill(&r, &s, &rec, &err), TSL_EUSAGE, &err, "16 targets");
    s.nouts = 8;
    assert_ok(tsl_samplerec_fill(&r, &s, &rec, &err), &err);
    tsl_samplerec_fini(&r);
    tsl_sample_fini(&s);
}

static void a_native_record_is_the_sample_again(void **state)
{
    (void)state;
    struct tsl_sample_shape shape = { .labels = true, .masked = true, .starts = true };
    struct tsl_samplerec r;
    struct tsl_samplecols cols;
    struct tsl_sample s, back;
    struct tsl_record rec;
    struct tsl_err err = { 0 };
    make(&s);
    assert_ok(tsl_sample_init(&back, 1, &err), &err);
    assert_ok(tsl_samplerec_init(&r, &shape, 16, &err), &err);
    assert_ok(tsl_samplerec_fill(&r, &s, &rec, &err), &err);
    assert_ok(tsl_samplecols_find(&cols, &r.schema, "x", &err), &err);
    assert_ok(tsl_samplecols_read(&cols, &rec, &back, &err), &err);
    assert_int_equal(back.address, 77);
    assert_int_equal(back.n, 6);
    assert_int_equal(back.first, 4);
    assert_int_equal(back.label, 1);
    assert_int_equal(back.nmasked, 2);
    assert_memory_equal(back.ids, s.ids, 6 * sizeof *s.ids);
    assert_memory_equal(back.starts, s.starts, 6);
    assert_memory_equal(back.places, s.places, 2 * sizeof *s.places);
    assert_memory_equal(back.targets, s.targets, 2 * sizeof *s.targets);
    tsl_samplerec_fini(&r);
    tsl_sample_fini(&s);
    tsl_sample_fini(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(berts_features_are_padded_with_0),
        TEST(hugging_faces_labels_say_what_stood_there),
        TEST(more_targets_than_there_is_room_for_are_refused),
        TEST(a_native_record_is_the_sample_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
