#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/trainlittle.h"
#include "train/checkpoint.h"
#include "train/safetensors.h"

/* The model's file, all but those parameters whose name has `without` in it; older: gamma and beta
 * as in 2018, and a double of a tied weight. */
static void write_model(const struct tsl_weights *w, const char *path,
                        const char *without, bool older)
{
    struct tsl_safetensors_array a[64];
    char names[64][256];
    struct tsl_err err = { 0 };
    static const int64_t two[] = { 2 };
    size_t n = 0;
    for (size_t i = 0; i < w->params.n; i++) {
        const struct tsl_param *p = &w->params.item[i];
        if (without && strstr(p->name, without))
            continue;
        snprintf(names[n], sizeof names[n], "%s", p->name);
        char *end = strstr(names[n], "LayerNorm.weight");
        if (older && end)
            strcpy(end, "LayerNorm.gamma");
        end = strstr(names[n], "LayerNorm.bias");
        if (older && end)
            strcpy(end, "LayerNorm.beta");
        a[n] = (struct tsl_safetensors_array){ names[n], TSL_ST_F32, p->rank, p->dim,
                                               p->value };
        n++;
    }
    if (older)
        a[n++] = (struct tsl_safetensors_array){ "cls.predictions.decoder.bias",
                                                 TSL_ST_F32, 1, two, "12345678" };
    assert_ok(tsl_safetensors_write(path, a, n, NULL, 0, NULL, &err), &err);
}

static void write_config(const struct tsl_weights *w, const char *path)
{
    struct tsl_err err = { 0 };
    char *text;
    assert_ok(tsl_modelconfig_text(&w->config, &text, &err), &err);
    file_put_text(path, text);
    tsl_mem_free(text);
}

static void must_be(const struct tsl_weights *a, const struct tsl_weights *b)
{
    assert_int_equal(a->params.n, b->params.n);
    for (size_t i = 0; i < a->params.n; i++) {
        assert_true(a->found[i]);
        assert_memory_equal(a->params.item[i].value, b->params.item[i].value,
                            a->params.item[i].n * sizeof(float));
    }
}

static void folders_from_elsewhere_are_read_by_older_names_too(void **state)
{
    struct tsl_weights w, r;
    struct tsl_err err = { 0 };
    (void)state;
    trainlittle_open(&w, "bert-tiny", 50, 1);
    assert_int_equal(mkdir("m", 0777), 0);
    write_config(&w, "m/config.json");
    for (int older = 0; older < 2; older++) {
        write_model(&w, "m/model.safetensors", NULL, older);
        assert_ok(tsl_weights_open(&r, "m", false, &err), &err);
        must_be(&r, &w);
        assert_false(r.ours);
        tsl_weights_close(&r);
        assert_ok(tsl_weights_open(&r, "m/model.safetensors", false, &err), &err);
        must_be(&r, &w);
        tsl_weights_close(&r);
        tsl_weights_close(&r);
    }
    assert_err(tsl_weights_open(&r, "m", true, &err), TSL_EUSAGE, &err, "no averaged");
    tsl_weights_close(&w);
}

static void only_what_a_graph_needs_must_be_there(void **state)
{
    struct tsl_weights w, r;
    struct tsl_graph *g;
    struct tsl_err err = { 0 };
    struct tsl_model_inputs in;
    struct tsl_model_outputs out;
    struct tsl_model_task task = { .batch = 1, .seq = 8, .masked = 1 };
    (void)state;
    trainlittle_open(&w, "bert-tiny", 50, 1);
    write_config(&w, "config.json");
    write_model(&w, "model.safetensors", "cls.seq_relationship", false);
    assert_ok(tsl_weights_open(&r, ".", false, &err), &err);
    for (int pairs = 0; pairs < 2; pairs++) {
        task.pairs = pairs;
        assert_ok(tsl_graph_create(&g, &(struct tsl_graph_opts){ 0 }, &err), &err);
        assert_ok(tsl_model_record(&r.config, &r.params, g, &task, &in, &out, &err),
                  &err);
        int rc = tsl_weights_need(&r, g, &err);
        if (pairs)
            assert_err(rc, TSL_EFORMAT, &err,
                       "there is no cls.seq_relationship.weight, nor 1 more");
        else
            assert_ok(rc, &err);
        tsl_graph_destroy(g);
    }
    tsl_weights_close(&r);
    tsl_weights_close(&w);
}

static void save(const struct tsl_weights *w, uint64_t step, const char *extra,
                 const struct tsl_ckpt_array *more, size_t nmore)
{
    struct tsl_ckpt_array a[64];
    struct tsl_err err = { 0 };
    char *config;
    assert_ok(tsl_modelconfig_text(&w->config, &config, &err), &err);
    for (size_t i = 0; i < w->params.n; i++) {
        struct tsl_param *p = &w->params.item[i];
        a[i] = (struct tsl_ckpt_array){ p->name, TSL_ST_F32, p->rank, p->dim, p->value };
    }
    struct tsl_ckpt_content c = {
        .state = { .step = step, .version = "t", .extra = extra },
        .config = config,
        .model = a,
        .nmodel = w->params.n,
        .optimizer = more,
        .noptimizer = nmore,
    };
    assert_ok(tsl_ckpt_save("run", &c, &err), &err);
    tsl_mem_free(config);
}

static void of_a_run_the_newest_is_taken(void **state)
{
    struct tsl_weights w, r;
    struct tsl_err err = { 0 };
    (void)state;
    assert_int_equal(mkdir("run", 0777), 0);
    trainlittle_open(&w, "bert-tiny", 50, 1);
    save(&w, 3, NULL, NULL, 0);
    w.params.item[0].value[0] = 77;
    save(&w, 12, NULL, NULL, 0);
    assert_ok(tsl_weights_open(&r, "run", false, &err), &err);
    must_be(&r, &w);
    assert_true(r.ours);
    assert_int_equal(r.step, 12);
    assert_string_equal(r.path, "run/checkpoint-00000012");
    tsl_weights_close(&r);
    assert_ok(tsl_weights_open(&r, "run/checkpoint-00000003", false, &err), &err);
    assert_int_equal(r.step, 3);
    assert_true(r.params.item[0].value[0] != 77);
    tsl_weights_close(&r);
    assert_err(tsl_weights_open(&r, "run", true, &err), TSL_EUSAGE, &err, "no averaged");
    tsl_weights_close(&w);
}

static void averages_are_corrected_for_their_beginning(void **state)
{
    struct tsl_weights w, r;
    struct tsl_err err = { 0 };
    (void)state;
    assert_int_equal(mkdir("run", 0777), 0);
    trainlittle_open(&w, "bert-tiny", 50, 1);
    struct tsl_param *p = &w.params.item[2];
    char name[300];
    snprintf(name, sizeof name, "ema.%s", p->name);
    float *half = calloc(p->n, sizeof *half);
    for (size_t i = 0; i < p->n; i++)
        half[i] = (float)i;
    struct tsl_ckpt_array a = { name, TSL_ST_F32, p->rank, p->dim, half };
    save(&w, 2, "clip: 1\nema: 0.5\n", &a, 1);
    assert_ok(tsl_weights_open(&r, "run", true, &err), &err);
    for (size_t i = 0; i < p->n; i++) /* over 1 - 1/4 */
        assert_true(r.params.item[2].value[i] == (float)((double)i * (1 / .75)));
    assert_memory_equal(r.params.item[1].value, w.params.item[1].value,
                        w.params.item[1].n * sizeof(float));
    tsl_weights_close(&r);
    free(half);
    tsl_weights_close(&w);
}

static void what_is_not_a_model_is_told(void **state)
{
    struct tsl_weights w, r;
    struct tsl_err err = { 0 };
    (void)state;
    assert_err(tsl_weights_open(&r, "none", false, &err), TSL_EUSAGE, &err, "not there");
    assert_int_equal(mkdir("m", 0777), 0);
    assert_err(tsl_weights_open(&r, "m", false, &err), TSL_EUSAGE, &err, "m has neither");
    trainlittle_open(&w, "bert-tiny", 50, 1);
    write_model(&w, "m/model.safetensors", NULL, false);
    assert_err(tsl_weights_open(&r, "m", false, &err), TSL_EUSAGE, &err,
               "m/model.safetensors has no config.json");
    file_put_text("m/config.json", "{\"model_type\": \"llama\"}");
    assert_err(tsl_weights_open(&r, "m", false, &err), TSL_EFORMAT, &err,
               "m/config.json");
    w.config.hidden_size = w.config.embedding_size = 8;
    write_config(&w, "m/config.json");
    assert_err(tsl_weights_open(&r, "m", false, &err), TSL_EFORMAT, &err,
               "m/model.safetensors: bert.embeddings.word_embeddings.weight has another");
    tsl_weights_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(folders_from_elsewhere_are_read_by_older_names_too),
        TEST(only_what_a_graph_needs_must_be_there),
        TEST(of_a_run_the_newest_is_taken),
        TEST(averages_are_corrected_for_their_beginning),
        TEST(what_is_not_a_model_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
