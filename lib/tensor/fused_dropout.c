/* fused_dropout.c - dropout whose mask is computed again whenever it is needed. */
#include "base/key.h"
#include "tensor/fused.h"

uint64_t tsl_fused_drop_key(const struct tsl_draw *draw, uint64_t site)
{
    struct tsl_key key = tsl_key_make(draw->seed, "dropout");
    return tsl_key_at128(&key, (struct tsl_u128){ draw->step, site });
}
