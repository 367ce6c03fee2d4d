#include "CSRTP.h"

#include <pthread.h>
#include <srtp2/srtp.h>
#include <stdlib.h>
#include <string.h>

/// Sources a context follows. The library keeps what it needs of each for ever and searches them one by one.
#define MOST_SOURCES 64

struct ps_context {
    srtp_t session;
    bool outbound;
    unsigned sources;
    uint32_t source[MOST_SOURCES];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool isReady;

static void ignore(srtp_log_level_t level, const char *text, void *data) {
    (void)level;
    (void)text;
    (void)data;
}

static void start(void) {
    isReady = srtp_init() == srtp_err_status_ok;
    srtp_install_log_handler(ignore, NULL);
}

ps_context *ps_create(ps_suite suite, const uint8_t *key, size_t keyLength, bool outbound) {
    pthread_once(&once, start);
    if (!isReady) return NULL;
    srtp_policy_t policy;
    memset(&policy, 0, sizeof policy);
    size_t wanted = 0;
    switch (suite) {
    case ps_aes_cm_128_hmac_sha1_80:
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);
        wanted = 30;
        break;
    case ps_aes_cm_128_hmac_sha1_32:
        // RFC 4568 6.2.2: RTCP keeps its 80-bit tag.
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&policy.rtp);
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);
        wanted = 30;
        break;
    case ps_aes_cm_256_hmac_sha1_80:
        srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&policy.rtp);
        srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&policy.rtcp);
        wanted = 46;
        break;
    case ps_aead_aes_128_gcm:
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
        wanted = 28;
        break;
    case ps_aead_aes_256_gcm:
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtp);
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtcp);
        wanted = 44;
        break;
    }
    if (!wanted || keyLength != wanted) return NULL;
    ps_context *context = calloc(1, sizeof *context);
    if (!context) return NULL;
    context->outbound = outbound;
    uint8_t copy[SRTP_MAX_KEY_LEN];
    memcpy(copy, key, keyLength);
    policy.ssrc.type = outbound ? ssrc_any_outbound : ssrc_any_inbound;
    policy.key = copy;
    policy.window_size = 1024;
    if (srtp_create(&context->session, &policy) != srtp_err_status_ok) {
        free(context);
        context = NULL;
    }
    memset(copy, 0, sizeof copy);
    return context;
}

void ps_destroy(ps_context *context) {
    if (!context) return;
    srtp_dealloc(context->session);
    free(context);
}

static uint32_t source_of(const uint8_t *packet, bool isRTCP) {
    uint32_t ssrc;
    memcpy(&ssrc, packet + (isRTCP ? 4 : 8), sizeof ssrc);
    return ssrc;
}

static bool is_known(const ps_context *context, uint32_t ssrc) {
    for (unsigned i = 0; i < context->sources; i++)
        if (context->source[i] == ssrc) return true;
    return false;
}

static bool may_follow(const ps_context *context, uint32_t ssrc) {
    return context->sources < MOST_SOURCES || is_known(context, ssrc);
}

static void follow(ps_context *context, uint32_t ssrc) {
    if (!is_known(context, ssrc) && context->sources < MOST_SOURCES) context->source[context->sources++] = ssrc;
}

long ps_protect(ps_context *context, uint8_t *packet, size_t length, size_t capacity, bool isRTCP) {
    if (length < (isRTCP ? 8 : 12) || length > 65536 || capacity < length + ps_overhead) return -1;
    uint32_t ssrc = source_of(packet, isRTCP);
    if (!may_follow(context, ssrc)) return -1;
    // Marked before: the library makes its stream even where it then fails.
    follow(context, ssrc);
    int count = (int)length;
    srtp_err_status_t status =
        isRTCP ? srtp_protect_rtcp(context->session, packet, &count) : srtp_protect(context->session, packet, &count);
    return status == srtp_err_status_ok ? count : -1;
}

long ps_unprotect(ps_context *context, uint8_t *packet, size_t length, bool isRTCP) {
    if (length < (isRTCP ? 8 : 12) || length > 65536) return -1;
    uint32_t ssrc = source_of(packet, isRTCP);
    if (!may_follow(context, ssrc)) return -1;
    int count = (int)length;
    srtp_err_status_t status =
        isRTCP ? srtp_unprotect_rtcp(context->session, packet, &count) : srtp_unprotect(context->session, packet, &count);
    if (status != srtp_err_status_ok) return -1;
    // Only what proved authentic has a stream of its own from now on.
    follow(context, ssrc);
    return count;
}
