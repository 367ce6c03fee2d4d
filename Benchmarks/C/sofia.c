// sofia-sip's side of the parser benchmark.
#include <sofia-sip/auth_digest.h>
#include <sofia-sip/msg.h>
#include <sofia-sip/msg_header.h>
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_protos.h>

#include "parse.h"

static size_t url(const url_t *url) { return text(url->url_user) + text(url->url_host); }

static size_t tags(const msg_list_t *list) {
    size_t sum = 0;
    if (list && list->k_items)
        for (int i = 0; list->k_items[i]; i++) sum += text(list->k_items[i]);
    return sum;
}

static size_t everything(const char *bytes, size_t length) {
    msg_t *message = msg_make(sip_default_mclass(), 0, bytes, (ssize_t)length);
    if (!message) return 0;
    sip_t *sip = sip_object(message);
    if (!sip || !sip->sip_request || (sip->sip_flags & MSG_FLG_ERROR) || !sip->sip_via || !sip->sip_cseq) {
        msg_destroy(message);
        return 0;
    }
    size_t sum = text(sip->sip_request->rq_method_name) + url(sip->sip_request->rq_url);

    const sip_via_t *via = sip->sip_via;
    sum += text(via->v_protocol) + text(via->v_host) + (via->v_port ? (size_t)atoi(via->v_port) : 0);
    sum += text(via->v_branch) + (via->v_rport != NULL) + (via->v_received != NULL);
    sum += url(sip->sip_from->a_url) + text(sip->sip_from->a_tag);
    sum += url(sip->sip_to->a_url) + text(sip->sip_to->a_tag);
    sum += text(sip->sip_call_id->i_id) + sip->sip_cseq->cs_seq + text(sip->sip_cseq->cs_method_name);

    for (const sip_contact_t *contact = sip->sip_contact; contact; contact = contact->m_next) {
        sum += url(contact->m_url) + (contact->m_url->url_port ? (size_t)atoi(contact->m_url->url_port) : 0);
        if (contact->m_expires) sum += strtoul(contact->m_expires, NULL, 10);
        if (contact->m_q) sum += (size_t)(strtod(contact->m_q, NULL) * 1000);
        sum += text(msg_params_find(contact->m_params, "+sip.instance="));
        const char *id = msg_params_find(contact->m_params, "reg-id=");
        if (id) sum += strtoul(id, NULL, 10);
    }
    if (sip->sip_expires) sum += sip->sip_expires->ex_delta;
    if (sip->sip_max_forwards) sum += sip->sip_max_forwards->mf_count;
    sum += tags(sip->sip_require) + tags(sip->sip_supported);
    if (sip->sip_user_agent) sum += text(sip->sip_user_agent->g_string);

    if (sip->sip_authorization) {
        auth_response_t digest;
        memset(&digest, 0, sizeof digest);
        digest.ar_size = sizeof digest;
        auth_digest_response_get(msg_home(message), &digest, sip->sip_authorization->au_params);
        sum += text(digest.ar_username) + text(digest.ar_realm) + text(digest.ar_nonce) + text(digest.ar_uri);
        sum += text(digest.ar_response) + text(digest.ar_algorithm) + text(digest.ar_cnonce) + text(digest.ar_opaque);
        sum += text(digest.ar_qop);
        if (digest.ar_nc) sum += strtoul(digest.ar_nc, NULL, 16);
    }
    if (sip->sip_content_type) sum += 1;
    if (sip->sip_payload) sum += sip->sip_payload->pl_len;
    msg_destroy(message);
    return sum;
}

int main(int argc, char **argv) { return measure(argc, argv); }
