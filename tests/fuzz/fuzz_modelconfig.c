/* fuzz_modelconfig - any bytes as a config.json: a model, or refused with a message.  What is
 * taken comes back from the text that is written of it, and its parameters can be listed. */
#include "base/mem.h"
#include "nn/model.h"
#include "nn/modelconfig.h"
#include "support/fuzzfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LAYERS_MAX = 40 };

static char *text_of(const struct tsl_modelconfig *c)
{
    struct tsl_err err = { 0 };
    char *text;
    must(tsl_modelconfig_text(c, &text, &err) == 0);
    return text;
}

static struct tsl_slice slice_of(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsl_modelconfig c, again;
    struct tsl_params params = { 0 };
    struct tsl_err err = { 0 };
    int rc = tsl_modelconfig_parse(&c, (struct tsl_slice){ data, size }, "f", &err);
    must_tell(rc, &err);
    if (rc < 0)
        return 0;
    must(tsl_modelconfig_check(&c, &err) == 0);
    char *text = text_of(&c);
    must(tsl_modelconfig_parse(&again, slice_of(text), "f", &err) == 0);
    must(again.gated == c.gated && again.hidden_act == c.hidden_act);
    must(again.num_decoder_layers == c.num_decoder_layers);
    char *second = text_of(&again);
    must(strcmp(text, second) == 0);
    tsl_mem_free(text);
    tsl_mem_free(second);
    if (c.num_hidden_layers <= LAYERS_MAX && c.num_decoder_layers <= LAYERS_MAX) {
        rc = tsl_model_params(&c, &params, &err);
        must_tell(rc, &err);
        tsl_params_fini(&params);
    }
    return 0;
}
