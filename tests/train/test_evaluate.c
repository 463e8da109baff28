#include "support/test.h"

#include <math.h>

#include "base/hash.h"
#include "support/sampleset.h"
#include "support/trainlittle.h"
#include "train/evaluate.h"

static void write_set(void)
{
    sampleset_write("a.tslrec", 37, 11);
}

struct how {
    uint32_t rows;
    unsigned nthreads, times;
    uint64_t batches;
    const char *objective;
};

static int evaluate(struct tsl_weights *w, struct how how, struct tsl_evaluate_out *out,
                    struct tsl_err *err)
{
    struct tsl_loader_set set = { .path = "a.tslrec" };
    struct tsl_evaluate *e = NULL;
    struct tsl_evaluate_opts o = {
        .model = &w->config,
        .params = &w->params,
        .data = { .sets = &set,
                  .nsets = 1,
                  .rows = how.rows,
                  .seed = how.rows, /* says nothing */
                  .data = { .doc_end = -1, .objective = how.objective } },
        .batches = how.batches,
        .nthreads = how.nthreads,
    };
    assert_ok(tsl_pool_create(&o.pool, how.nthreads, err), err);
    int rc = tsl_evaluate_open(&e, &o, err);
    for (unsigned i = 0; rc == 0 && i < how.times; i++)
        rc = tsl_evaluate_run(e, out, err);
    tsl_evaluate_destroy(e);
    tsl_pool_destroy(o.pool);
    return rc;
}

static struct tsl_evaluate_out must(struct tsl_weights *w, struct how how)
{
    struct tsl_evaluate_out out;
    struct tsl_err err = { 0 };
    assert_ok(evaluate(w, how, &out, &err), &err);
    return out;
}

static void threads_and_times_change_no_bit_and_parameters_stay(void **state)
{
    struct tsl_weights w;
    (void)state;
    write_set();
    trainlittle_open(&w, "bert-tiny", SAMPLESET_VOCAB, 3);
    size_t bytes = w.params.numbers * sizeof(float);
    uint64_t before = tsl_hash64(w.params.values, bytes, 0);
    struct tsl_evaluate_out a = must(
                                &w, (struct how){ .rows = 8, .nthreads = 1, .times = 1 }),
                            b = must(
                                &w, (struct how){ .rows = 8, .nthreads = 3, .times = 1 }),
                            c = must(
                                &w, (struct how){ .rows = 8, .nthreads = 1, .times = 3 });
    assert_memory_equal(&a.loss, &b.loss, sizeof a.loss);
    assert_memory_equal(&a.masked_loss, &b.masked_loss, sizeof a.loss);
    assert_memory_equal(&a.pair_loss, &b.pair_loss, sizeof a.loss);
    assert_memory_equal(&a.loss, &c.loss, sizeof a.loss);
    assert_true(a.masked_accuracy == b.masked_accuracy);
    assert_true(a.pair_accuracy == c.pair_accuracy);
    assert_true(tsl_hash64(w.params.values, bytes, 0) == before);
    assert_true(isnan(a.label_loss));
    assert_int_equal(a.samples, 37);
    assert_int_equal(a.pairs, 37);
    assert_true(a.masked > 37 && a.loss == a.masked_loss + a.pair_loss);
    tsl_weights_close(&w);
}

static void any_batches_come_to_the_same_sums(void **state)
{
    struct tsl_weights w;
    (void)state;
    write_set();
    trainlittle_open(&w, "bert-tiny", SAMPLESET_VOCAB, 4);
    struct tsl_evaluate_out all =
        must(&w, (struct how){ .rows = 37, .nthreads = 1, .times = 1 });
    static const uint32_t rows[] = { 1, 5, 36, 64 };
    for (unsigned i = 0; i < 4; i++) {
        struct tsl_evaluate_out out =
            must(&w, (struct how){ .rows = rows[i], .nthreads = 1, .times = 1 });
        assert_int_equal(out.batches, (37 + rows[i] - 1) / rows[i]);
        assert_int_equal(out.masked, all.masked);
        assert_true(fabs(out.masked_loss / all.masked_loss - 1) < 1e-6);
        assert_true(fabs(out.pair_loss / all.pair_loss - 1) < 1e-6);
        assert_true(fabs(out.perplexity / exp(all.masked_loss) - 1) < 1e-5);
        assert_true(out.masked_accuracy == all.masked_accuracy);
        assert_true(out.pair_accuracy == all.pair_accuracy);
    }
    assert_int_equal(
        must(&w, (struct how){ .rows = 5, .nthreads = 1, .times = 1, .batches = 3 })
            .samples,
        15);
    tsl_weights_close(&w);
}

static void dropout_is_left_out(void **state)
{
    struct tsl_weights w;
    (void)state;
    write_set();
    trainlittle_open(&w, "bert-tiny", SAMPLESET_VOCAB, 4);
    double with = must(&w, (struct how){ .rows = 8, .nthreads = 1, .times = 1 }).loss;
    w.config.hidden_dropout_prob = w.config.attention_probs_dropout_prob = 0;
    assert_true(must(&w, (struct how){ .rows = 8, .nthreads = 1, .times = 1 }).loss ==
                with);
    tsl_weights_close(&w);
}

static void next_tokens_are_evaluated_alike(void **state)
{
    struct tsl_weights w;
    (void)state;
    write_set();
    trainlittle_open(&w, "gpt2-tiny", SAMPLESET_VOCAB, 5);
    struct tsl_evaluate_out a = must(&w, (struct how){ .rows = 8,
                                                       .nthreads = 1,
                                                       .times = 2,
                                                       .objective = "clm" }),
                            b = must(&w, (struct how){ .rows = 37,
                                                       .nthreads = 3,
                                                       .times = 1,
                                                       .objective = "clm" });
    assert_true(isnan(a.masked_loss) && isnan(a.pair_loss));
    assert_int_equal(a.labels, b.labels);
    assert_true(fabs(a.label_loss / b.label_loss - 1) < 1e-6);
    assert_true(a.label_accuracy == b.label_accuracy && a.loss == a.label_loss);
    tsl_weights_close(&w);
}

static void what_is_not_finite_is_told_with_its_batch(void **state)
{
    struct tsl_weights w;
    struct tsl_evaluate_out out;
    struct tsl_err err = { 0 };
    (void)state;
    write_set();
    trainlittle_open(&w, "bert-tiny", SAMPLESET_VOCAB, 4);
    tsl_params_find(&w.params, "bert.embeddings.LayerNorm.weight")->value[3] = NAN;
    assert_err(
        evaluate(&w, (struct how){ .rows = 8, .nthreads = 1, .times = 1 }, &out, &err),
        TSL_EFORMAT, &err, "batch 1 of what is held out");
    tsl_weights_close(&w);
}

static void data_of_another_kind_are_refused(void **state)
{
    struct tsl_weights w;
    struct tsl_evaluate_out out;
    struct tsl_err err = { 0 };
    (void)state;
    write_set();
    trainlittle_open(&w, "bert-tiny", 100, 4);
    assert_err(
        evaluate(&w, (struct how){ .rows = 8, .nthreads = 1, .times = 1 }, &out, &err),
        TSL_EUSAGE, &err, "a.tslrec has ids of a vocabulary of 200");
    tsl_weights_close(&w);
    trainlittle_open(&w, "gpt2-tiny", SAMPLESET_VOCAB, 4);
    assert_err(
        evaluate(&w, (struct how){ .rows = 8, .nthreads = 1, .times = 1 }, &out, &err),
        TSL_EUSAGE, &err, "encoder");
    tsl_weights_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(threads_and_times_change_no_bit_and_parameters_stay),
        TEST(any_batches_come_to_the_same_sums),
        TEST(dropout_is_left_out),
        TEST(next_tokens_are_evaluated_alike),
        TEST(what_is_not_finite_is_told_with_its_batch),
        TEST(data_of_another_kind_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
