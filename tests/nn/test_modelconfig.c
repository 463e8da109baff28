#include "nn/modelconfig.h"

#include <string.h>

#include "base/mem.h"
#include "support/test.h"

static int parse(struct tsl_modelconfig *c, const char *text, struct tsl_err *err)
{
    return tsl_modelconfig_parse(
        c, (struct tsl_slice){ (const uint8_t *)text, strlen(text) }, "config.json", err);
}

static void every_preset_comes_back_from_its_text(void **state)
{
    (void)state;
    for (const char *const *name = tsl_modelconfig_presets(); *name; name++) {
        struct tsl_modelconfig c, back;
        struct tsl_err err = { 0 };
        char *text, *again;
        if (!tsl_modelconfig_preset(&c, *name))
            fail_msg("%s is not known", *name);
        assert_ok(tsl_modelconfig_check(&c, &err), &err);
        assert_ok(tsl_modelconfig_text(&c, &text, &err), &err);
        assert_ok(parse(&back, text, &err), &err);
        assert_ok(tsl_modelconfig_text(&back, &again, &err), &err);
        assert_string_equal(text, again);
        assert_int_equal(c.kind, back.kind);
        assert_int_equal(c.hidden_size, back.hidden_size);
        assert_int_equal(c.hidden_act, back.hidden_act);
        tsl_mem_free(text);
        tsl_mem_free(again);
    }
    struct tsl_modelconfig c;
    assert_false(tsl_modelconfig_preset(&c, "bert-enormous"));
    assert_false(tsl_modelconfig_preset(&c, "bird-tiny"));
}

static void what_is_not_said_is_what_transformers_takes(void **state)
{
    (void)state;
    struct tsl_modelconfig c;
    struct tsl_err err = { 0 };
    assert_ok(parse(&c, "{\"model_type\": \"bert\"}", &err), &err);
    assert_int_equal(c.vocab_size, 30522);
    assert_int_equal(c.intermediate_size, 3072);
    assert_ok(
        parse(&c, "{\"model_type\": \"gpt2\", \"n_embd\": 24, \"n_head\": 3}", &err),
        &err);
    assert_int_equal(c.intermediate_size, 96);
    assert_ok(parse(&c,
                    "{\"model_type\": \"t5\", \"feed_forward_proj\": \"gated-gelu\", "
                    "\"tie_word_embeddings\": false}",
                    &err),
              &err);
    assert_true(c.gated && !c.tie_word_embeddings);
    assert_int_equal(c.hidden_act, TSL_GELU_TANH);
}

static void what_does_not_fit_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } wrong[] = {
        { "{}", "model_type" },
        { "[1]", "model_type" },
        { "{\"model_type\": \"bird\"}", "bird" },
        { "{\"model_type\": \"bert\", \"hidden_size\": \"many\"}", "hidden_size" },
        { "{\"model_type\": \"bert\", \"hidden_size\": 100}", "num_attention_heads" },
        { "{\"model_type\": \"bert\", \"vocab_size\": 0}", "vocab_size" },
        { "{\"model_type\": \"bert\", \"vocab_size\": 99999999999}", "vocab_size" },
        { "{\"model_type\": \"bert\", \"hidden_act\": \"sine\"}", "sine" },
        { "{\"model_type\": \"bert\", \"hidden_act\": 3}", "hidden_act" },
        { "{\"model_type\": \"bert\", \"hidden_act\": \"gated-gelu\"}", "gated-gelu" },
        { "{\"model_type\": \"bert\", \"hidden_dropout_prob\": 1}", "dropout" },
        { "{\"model_type\": \"gpt2\", \"n_embd\": 4611686018427387904}", "n_embd" },
        { "{\"model_type\": \"gpt2\", \"n_layer\": 2000000000}", "1024 layers" },
        { "{\"model_type\": \"t5\", \"num_decoder_layers\": 2000000000}", "1024 layers" },
        { "{\"model_type\": \"t5\", \"num_decoder_layers\": -1}", "num_decoder_layers" },
        { "{\"model_type\": \"albert\", \"num_hidden_groups\": 5}", "num_hidden_groups" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct tsl_modelconfig c;
        struct tsl_err err = { 0 };
        assert_err(parse(&c, wrong[i].text, &err), TSL_EFORMAT, &err, wrong[i].says);
    }
}

/* transformers 5 refuses a 1 where it wants 1.0. */
static void fractions_are_written_as_such(void **state)
{
    (void)state;
    struct tsl_modelconfig c;
    struct tsl_err err = { 0 };
    char *text;
    assert_true(tsl_modelconfig_preset(&c, "t5-small"));
    assert_ok(tsl_modelconfig_text(&c, &text, &err), &err);
    assert_non_null(strstr(text, "1.0"));
    tsl_mem_free(text);
}

static void a_gated_activation_comes_back(void **state)
{
    (void)state;
    static const enum tsl_unary acts[] = { TSL_GELU_TANH, TSL_SWISH, TSL_RELU };
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        struct tsl_modelconfig c, back;
        struct tsl_err err = { 0 };
        char *text;
        assert_true(tsl_modelconfig_preset(&c, "t5-small"));
        c.gated = true;
        c.hidden_act = acts[i];
        assert_ok(tsl_modelconfig_text(&c, &text, &err), &err);
        assert_ok(parse(&back, text, &err), &err);
        assert_true(back.gated && back.hidden_act == acts[i]);
        tsl_mem_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_preset_comes_back_from_its_text),
        TEST(what_is_not_said_is_what_transformers_takes),
        TEST(what_does_not_fit_is_told),
        TEST(fractions_are_written_as_such),
        TEST(a_gated_activation_comes_back),
    };
    return cmocka_run_group_tests_name("modelconfig", tests, NULL, NULL);
}
