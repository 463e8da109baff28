#include "nn/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/test.h"
#include "tensor/kernels.h"

/* ---- one step of a small model ---- */

struct step {
    struct tsl_modelconfig c;
    struct tsl_model_task task;
    struct tsl_params p;
    struct tsl_graph *g;
    struct tsl_model_inputs in;
    struct tsl_model_outputs out;
};

static void sizes(struct tsl_modelconfig *c, const char *preset)
{
    assert_true(tsl_modelconfig_preset(c, preset));
    c->vocab_size = 97;
    c->hidden_size = 36; /* no multiple of sixteen */
    c->num_attention_heads = 3;
    c->intermediate_size = 52;
    c->max_position_embeddings = 40;
    c->embedding_size = c->kind == TSL_MODEL_ALBERT ? 11 : 36;
    if (c->kind == TSL_MODEL_T5)
        c->d_kv = 7;
}

static void begin(struct step *s, const char *preset, int64_t batch, double dropout)
{
    struct tsl_err err = { 0 };
    *s = (struct step){ .task = {
                            .batch = batch, .seq = 19, .positions = s->task.positions } };
    sizes(&s->c, preset);
    s->c.hidden_dropout_prob = s->c.attention_probs_dropout_prob = dropout;
    if (s->c.kind == TSL_MODEL_T5)
        s->task.target = 9;
    else if (s->c.kind == TSL_MODEL_GPT2)
        s->task.next = true;
    else
        s->task.masked = 5 * batch;
    s->task.pairs = s->c.kind == TSL_MODEL_BERT || s->c.kind == TSL_MODEL_ALBERT;
    assert_ok(tsl_model_params(&s->c, &s->p, &err), &err);
    assert_ok(tsl_params_alloc(&s->p, &err), &err);
    tsl_params_init(&s->p, 3);
    struct tsl_graph_opts o = { .training = true };
    assert_ok(tsl_graph_create(&s->g, &o, &err), &err);
    assert_ok(tsl_model_record(&s->c, &s->p, s->g, &s->task, &s->in, &s->out, &err),
              &err);
    assert_ok(tsl_graph_derive(s->g, s->out.loss, &err), &err);
    assert_ok(tsl_graph_plan(s->g, 5, &err), &err);
}

static void end(struct step *s)
{
    tsl_graph_destroy(s->g);
    tsl_params_fini(&s->p);
}

static void fill(struct tsl_tensor *t, int64_t from, int64_t below, uint64_t seed)
{
    for (size_t i = 0; t && i < tsl_tensor_count(t); i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        tsl_tensor_i32(t)[i] = (int32_t)(from + (int64_t)(seed >> 33) % (below - from));
    }
}

static void batch(struct step *s, uint64_t seed)
{
    fill(s->in.input_ids, 1, 97, seed);
    fill(s->in.segment_ids, 0, s->c.type_vocab_size > 1 ? 2 : 1, seed + 1);
    fill(s->in.lengths, 7, 20, seed + 2);
    fill(s->in.masked_positions, 0, s->task.batch * 19, seed + 3);
    fill(s->in.masked_labels, 0, 97, seed + 4);
    fill(s->in.pair_labels, 0, 2, seed + 5);
    fill(s->in.labels, 0, 97, seed + 6);
    fill(s->in.target_ids, 0, 97, seed + 7);
    fill(s->in.target_labels, 0, 97, seed + 8);
}

static void run(struct step *s, unsigned nthreads)
{
    struct tsl_pool *pool;
    struct tsl_err err = { 0 };
    assert_ok(tsl_pool_create(&pool, nthreads, &err), &err);
    tsl_graph_run(s->g, pool, &(struct tsl_draw){ 11, 4 });
    tsl_pool_destroy(pool);
}

static const char *const families[] = { "bert-tiny",     "roberta-tiny", "albert-tiny",
                                        "roformer-tiny", "unilm-tiny",   "gpt2-tiny",
                                        "t5-tiny" };
enum { FAMILIES = sizeof families / sizeof *families };

/* ---- the same bits ---- */

static void any_number_of_threads_gives_the_same_bits(void **state)
{
    (void)state;
    static const unsigned counts[] = { 2, 3, 5 };
    for (unsigned f = 0; f < FAMILIES; f++) {
        struct step s = { 0 };
        begin(&s, families[f], 4, 0.1);
        batch(&s, 1);
        run(&s, 1);
        float loss = *tsl_tensor_f32(s.out.loss);
        assert_true(isfinite(loss) && loss > 0);
        float *one = malloc(s.p.numbers * sizeof *one);
        memcpy(one, s.p.grads, s.p.numbers * sizeof *one);
        for (unsigned n = 0; n < 3; n++) {
            run(&s, counts[n]);
            assert_true(loss == *tsl_tensor_f32(s.out.loss));
            assert_memory_equal(one, s.p.grads, s.p.numbers * sizeof *one);
        }
        free(one);
        end(&s);
    }
}

/* In a child whose processor is told to be that one: gradients into the file of its name. */
static void step_as(const char *cpu)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct step s = { 0 };
        setenv("TSL_CPU", cpu, 1);
        begin(&s, "bert-tiny", 4, 0.1);
        batch(&s, 1);
        run(&s, 2);
        FILE *f = fopen(cpu, "wb");
        bool good = f && !strcmp(tsl_kernels()->name, cpu) &&
                    fwrite(s.p.grads, sizeof(float), s.p.numbers, f) == s.p.numbers;
        _exit(good && fclose(f) == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void every_processor_gives_the_same_bits(void **state)
{
    (void)state;
    static const char *const cpus[] = { "avx2", "avx512" };
    size_t n, m;
    step_as("ref");
    uint8_t *plain = file_get("ref", &n);
    assert_non_null(plain);
    for (unsigned i = 0; i < 2; i++) {
        if (!tsl_kernels_named(cpus[i]))
            continue;
        step_as(cpus[i]);
        uint8_t *other = file_get(cpus[i], &m);
        assert_true(other && n == m && !memcmp(plain, other, n));
        free(other);
    }
    free(plain);
}

/* ---- what a step means ---- */

static void copy_part(struct tsl_tensor *to, const struct tsl_tensor *from, size_t part,
                      int32_t less)
{
    if (!to)
        return;
    size_t n = tsl_tensor_count(to);
    for (size_t i = 0; i < n; i++)
        tsl_tensor_i32(to)[i] = tsl_tensor_i32(from)[part * n + i] - less;
}

/* Gradients of parts, each divided by the count of all, add up to those of the whole. */
static void parts_add_up_to_one_large_batch(void **state)
{
    (void)state;
    struct step whole = { 0 }, half = { 0 };
    begin(&whole, "bert-tiny", 4, 0);
    begin(&half, "bert-tiny", 2, 0);
    batch(&whole, 1);
    for (int32_t i = 0; i < 20; i++) /* places of the first half come first */
        tsl_tensor_i32(whole.in.masked_positions)[i] = i < 10 ? i * 3 : 38 + i;
    tsl_tensor_i32(whole.in.masked_labels)[13] = -100;
    run(&whole, 2);
    float *sum = calloc(whole.p.numbers, sizeof *sum);
    double loss = 0;
    for (size_t part = 0; part < 2; part++) {
        copy_part(half.in.input_ids, whole.in.input_ids, part, 0);
        copy_part(half.in.segment_ids, whole.in.segment_ids, part, 0);
        copy_part(half.in.lengths, whole.in.lengths, part, 0);
        copy_part(half.in.masked_labels, whole.in.masked_labels, part, 0);
        copy_part(half.in.pair_labels, whole.in.pair_labels, part, 0);
        copy_part(half.in.masked_positions, whole.in.masked_positions, part,
                  (int32_t)part * 38);
        *tsl_tensor_f32(half.in.masked_count) = 19;
        *tsl_tensor_f32(half.in.pair_count) = 4;
        run(&half, 2);
        loss += (double)*tsl_tensor_f32(half.out.loss);
        for (size_t i = 0; i < half.p.numbers; i++)
            sum[i] += half.p.grads[i];
    }
    assert_float_equal(loss, *tsl_tensor_f32(whole.out.loss), 1e-5);
    for (size_t i = 0; i < whole.p.numbers; i++)
        assert_float_equal(sum[i], whole.p.grads[i], 1e-6);
    free(sum);
    end(&whole);
    end(&half);
}

static void a_tied_table_gets_both_gradients(void **state)
{
    (void)state;
    struct step s = { 0 };
    begin(&s, "gpt2-tiny", 1, 0);
    batch(&s, 1);
    fill(s.in.input_ids, 1, 40, 1);
    fill(s.in.labels, 60, 97, 1);
    run(&s, 1);
    const struct tsl_param *w = tsl_params_find(&s.p, "wte.weight");
    float said = 0, given = 0, never = 0;
    for (int64_t i = 0; i < 36; i++) {
        given += fabsf(w->grad[tsl_tensor_i32(s.in.input_ids)[0] * 36 + i]);
        said += fabsf(w->grad[tsl_tensor_i32(s.in.labels)[0] * 36 + i]);
        never +=
            fabsf(w->grad[50 * 36 + i]); /* neither: it is only held to be unlikely */
    }
    assert_true(given > 2 * never && said > 2 * never && never > 0);
    end(&s);
}

static void dropout_is_another_each_step(void **state)
{
    (void)state;
    struct step s = { 0 };
    struct tsl_pool *pool;
    struct tsl_err err = { 0 };
    begin(&s, "bert-tiny", 2, 0.3);
    batch(&s, 1);
    assert_ok(tsl_pool_create(&pool, 1, &err), &err);
    float loss[3];
    for (unsigned i = 0; i < 3; i++) {
        tsl_graph_run(s.g, pool, &(struct tsl_draw){ 1, i % 2 });
        loss[i] = *tsl_tensor_f32(s.out.loss);
    }
    assert_true(loss[0] == loss[2] && loss[0] != loss[1]);
    tsl_pool_destroy(pool);
    end(&s);
}

/* RoBERTa's first position is behind the padding's: who gives positions need not know. */
static void positions_count_from_0_in_every_family(void **state)
{
    (void)state;
    for (unsigned f = 0; f < FAMILIES; f++) {
        float loss[2];
        for (unsigned given = 0; given < 2; given++) {
            struct step s = { .task = { .positions = given } };
            if (!strcmp(families[f], "t5-tiny"))
                continue; /* it has none */
            begin(&s, families[f], 2, 0);
            batch(&s, 1);
            for (int32_t i = 0; given && i < 38; i++)
                tsl_tensor_i32(s.in.position_ids)[i] = i % 19;
            run(&s, 1);
            loss[given] = *tsl_tensor_f32(s.out.loss);
            end(&s);
            if (given)
                assert_true(loss[0] == loss[1]);
        }
    }
}

/* ---- names, and what does not fit ---- */

static void names_of_others_are_known(void **state)
{
    (void)state;
    static const struct {
        const char *preset, *theirs, *ours;
    } names[] = {
        { "bert-tiny", "bert.embeddings.LayerNorm.gamma",
          "bert.embeddings.LayerNorm.weight" },
        { "bert-tiny", "cls.predictions.decoder.weight", NULL },
        { "gpt2-tiny", "transformer.h.0.ln_1.bias", "h.0.ln_1.bias" },
        { "gpt2-tiny", "lm_head.weight", NULL },
        { "gpt2-tiny", "h.0.attn.bias", NULL },
        { "t5-tiny", "encoder.embed_tokens.weight", NULL },
        { "t5-tiny", "shared.weight", "shared.weight" },
        { "roformer-tiny", "roformer.encoder.embed_positions.weight", NULL },
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct tsl_modelconfig c;
        char name[256];
        assert_true(tsl_modelconfig_preset(&c, names[i].preset));
        assert_int_equal(tsl_model_public_name(&c, names[i].theirs, name),
                         names[i].ours != NULL);
        if (names[i].ours)
            assert_string_equal(name, names[i].ours);
    }
}

static void groups_of_layers_find_the_one_they_were(void **state)
{
    (void)state;
    struct tsl_modelconfig c;
    char name[256];
    assert_true(tsl_modelconfig_preset(&c, "albert-base"));
    c.num_hidden_groups = 12;
    tsl_model_unshare(
        &c, 3, "albert.encoder.albert_layer_groups.7.albert_layers.0.ffn.bias", name);
    assert_string_equal(name,
                        "albert.encoder.albert_layer_groups.1.albert_layers.0.ffn.bias");
    tsl_model_unshare(&c, 3, "albert.pooler.bias", name);
    assert_string_equal(name, "albert.pooler.bias");
}

static void what_a_model_cannot_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *preset, *says;
        struct tsl_model_task task;
    } wrong[] = {
        { "bert-tiny", "40 positions", { .batch = 1, .seq = 41, .masked = 1 } },
        { "roberta-tiny", "38 positions", { .batch = 1, .seq = 39, .masked = 1 } },
        { "roberta-tiny",
          "no head",
          { .batch = 1, .seq = 9, .masked = 1, .pairs = true } },
        { "t5-tiny", "target", { .batch = 1, .seq = 9 } },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct step s = { 0 };
        struct tsl_err err = { 0 };
        sizes(&s.c, wrong[i].preset);
        assert_ok(tsl_model_params(&s.c, &s.p, &err), &err);
        assert_ok(tsl_params_alloc(&s.p, &err), &err);
        assert_ok(tsl_graph_create(&s.g, &(struct tsl_graph_opts){ 0 }, &err), &err);
        int rc = tsl_model_record(&s.c, &s.p, s.g, &wrong[i].task, &s.in, &s.out, &err);
        if (rc == 0)
            rc = tsl_graph_plan(s.g, 1, &err);
        assert_err(rc, TSL_EUSAGE, &err, wrong[i].says);
        end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_processor_gives_the_same_bits), /* first: no kernels chosen yet */
        TEST(any_number_of_threads_gives_the_same_bits),
        TEST(parts_add_up_to_one_large_batch),
        TEST(a_tied_table_gets_both_gradients),
        TEST(dropout_is_another_each_step),
        TEST(positions_count_from_0_in_every_family),
        TEST(names_of_others_are_known),
        TEST(groups_of_layers_find_the_one_they_were),
        TEST(what_a_model_cannot_is_told),
    };
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
