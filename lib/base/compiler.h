/* compiler.h - the few attributes that this project uses, by name. */
#ifndef TSL_COMPILER_H
#define TSL_COMPILER_H

#define TSL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define TSL_MUST_USE __attribute__((warn_unused_result))
#define TSL_NORETURN __attribute__((noreturn))
#define TSL_LIKELY(x) __builtin_expect(!!(x), 1)
#define TSL_UNLIKELY(x) __builtin_expect(!!(x), 0)
/* for the few calls a row in which a call's own cost would show */
#define TSL_INLINE static inline __attribute__((always_inline))
#define TSL_PREFETCH(p) __builtin_prefetch(p)

#endif
