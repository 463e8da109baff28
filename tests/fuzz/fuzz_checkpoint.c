/* fuzz_checkpoint - any bytes as a checkpoint's files: opened, its tensors read and its weights put
 * into the model that its config.json tells of, or refused with a message.
 *
 *   byte 0   bit 0: checksums are put right first; bit 1: no state.json, as from elsewhere
 *   byte 1 to 4   bytes of state.json (but for its checksum), bytes of config.json; the rest is
 *                 both of the other files */
#include <inttypes.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/mem.h"
#include "support/fuzzfile.h"
#include "train/checkpoint.h"
#include "train/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEX = 16, SMALL = 256 };

#define FOLDER "run/checkpoint-00000003/"

/* The checksum behind the last "name": ", where there is one. */
static void mend(char *text, const char *name, const uint8_t *bytes, size_t n)
{
    char key[64], value[HEX + 1];
    snprintf(key, sizeof key, "\"%s\": \"", name);
    char *at = strstr(text, key);
    if (!at || strlen(at) < strlen(key) + HEX)
        return;
    snprintf(value, sizeof value, "%016" PRIx64, tsl_hash64(bytes, n, 0));
    memcpy(at + strlen(key), value, HEX);
}

static void put_state(const uint8_t *state, size_t nstate, const uint8_t *config,
                      size_t nconfig, const uint8_t *model, size_t nmodel, bool right)
{
    char *text = calloc(nstate + 64, 1);
    must(text != NULL);
    memcpy(text, state, nstate);
    if (right && strlen(text) == nstate) {
        mend(text, TSL_CKPT_MODEL, model, nmodel);
        mend(text, TSL_CKPT_CONFIG, config, nconfig);
        mend(text, TSL_CKPT_OPTIMIZER, model, nmodel);
        snprintf(text + nstate, 64, ",\n\"self\": \"%016" PRIx64 "\"\n}\n",
                 tsl_hash64(text, nstate, 0));
    }
    fuzz_file(FOLDER TSL_CKPT_STATE, text, strlen(text));
    free(text);
}

static void load_all(const struct tsl_ckpt *k)
{
    struct tsl_safetensors *s;
    struct tsl_err err = { 0 };
    char *config = tsl_ckpt_config(k, &err);
    must(config || err.msg[0]);
    tsl_mem_free(config);
    err = (struct tsl_err){ 0 };
    int rc = tsl_safetensors_open(&s, fuzz_path(FOLDER TSL_CKPT_MODEL), &err);
    must_tell(rc, &err);
    if (rc < 0)
        return;
    size_t n = tsl_safetensors_count(s);
    struct tsl_ckpt_array *a = calloc(n + 1, sizeof *a);
    must(a != NULL);
    for (size_t i = 0; i < n; i++) {
        const struct tsl_safetensors_entry *e = tsl_safetensors_at(s, i);
        a[i] = (struct tsl_ckpt_array){ e->name, e->type, e->rank, e->dim,
                                        malloc(e->bytes + 1) };
        must(a[i].data != NULL);
    }
    must(tsl_ckpt_load(k, TSL_CKPT_MODEL, a, n, &err) == 0);
    if (n > 0) /* one too many in the file */
        must(tsl_ckpt_load(k, TSL_CKPT_OPTIMIZER, a, n - 1, NULL) == TSL_EFORMAT);
    for (size_t i = 0; i < n; i++)
        free(a[i].data);
    free(a);
    tsl_safetensors_close(s);
}

/* Larger models are none that a fuzzer has time for. */
static bool small(const uint8_t *config, size_t n)
{
    struct tsl_modelconfig c;
    if (tsl_modelconfig_parse(&c, (struct tsl_slice){ config, n }, "f", NULL) < 0)
        return true;
    return c.hidden_size <= SMALL && c.vocab_size <= SMALL && c.num_hidden_layers <= 8 &&
           c.num_decoder_layers <= 8 && c.intermediate_size <= SMALL && c.d_kv <= SMALL &&
           c.max_position_embeddings <= SMALL && c.type_vocab_size <= SMALL &&
           c.embedding_size <= SMALL && c.num_attention_heads <= SMALL &&
           c.relative_attention_num_buckets <= SMALL;
}

static void weigh(bool averaged)
{
    struct tsl_weights w;
    struct tsl_err err = { 0 };
    int rc = tsl_weights_open(&w, fuzz_path("run/checkpoint-00000003"), averaged, &err);
    must_tell(rc, &err);
    tsl_weights_close(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsl_ckpt k;
    struct tsl_err err = { 0 };
    if (size < 5 || size > 1 << 16)
        return 0;
    const uint8_t *state = data + 5;
    size_t left = size - 5, nstate = data[1] | (size_t)data[2] << 8,
           nconfig = data[3] | (size_t)data[4] << 8;
    nstate = nstate < left ? nstate : left;
    left -= nstate;
    nconfig = nconfig < left ? nconfig : left;
    const uint8_t *config = state + nstate, *model = config + nconfig;
    size_t nmodel = left - nconfig;
    if (!fuzz_dir[0])
        must(mkdir(fuzz_path("run"), 0700) == 0 &&
             mkdir(fuzz_path("run/checkpoint-00000003"), 0700) == 0);
    fuzz_file(FOLDER TSL_CKPT_MODEL, model, nmodel);
    fuzz_file(FOLDER TSL_CKPT_OPTIMIZER, model, nmodel);
    fuzz_file(FOLDER TSL_CKPT_CONFIG, config, nconfig);
    if (data[0] & 2)
        unlink(fuzz_path(FOLDER TSL_CKPT_STATE));
    else
        put_state(state, nstate, config, nconfig, model, nmodel, data[0] & 1);
    int rc = tsl_ckpt_find(&k, fuzz_path("run"), &err);
    must_tell(rc, &err);
    if (rc == 1)
        load_all(&k);
    tsl_ckpt_close(&k);
    if (small(config, nconfig)) {
        weigh(false);
        weigh(true);
    }
    return 0;
}
