// libosip2's side of the parser benchmark.
#include <osipparser2/osip_parser.h>

#include "parse.h"

static size_t url(osip_uri_t *uri) { return uri ? text(uri->username) + text(uri->host) : 0; }

static size_t parameter(osip_generic_param_t *parameter) { return parameter ? text(parameter->gvalue) + 1 : 0; }

/// The option tags of a field that osip leaves as one string.
static size_t tags(osip_header_t *header) {
    size_t sum = 0;
    if (!header || !header->hvalue) return 0;
    for (const char *at = header->hvalue; *at;) {
        at += strspn(at, " \t,");
        size_t length = strcspn(at, " \t,");
        sum += length;
        at += length;
    }
    return sum;
}

static size_t everything(const char *bytes, size_t length) {
    osip_message_t *message;
    if (osip_message_init(&message)) return 0;
    if (osip_message_parse(message, bytes, length)) {
        osip_message_free(message);
        return 0;
    }
    size_t sum = text(message->sip_method) + url(message->req_uri);

    osip_via_t *via = NULL;
    osip_message_get_via(message, 0, &via);
    if (!via) return 0;
    osip_generic_param_t *found = NULL;
    sum += text(via->protocol) + text(via->host) + (via->port ? (size_t)atoi(via->port) : 0);
    osip_via_param_get_byname(via, "branch", &found);
    sum += parameter(found);
    found = NULL;
    osip_via_param_get_byname(via, "rport", &found);
    sum += parameter(found);
    found = NULL;
    osip_via_param_get_byname(via, "received", &found);
    sum += parameter(found);

    sum += url(message->from->url) + url(message->to->url);
    found = NULL;
    osip_from_get_tag(message->from, &found);
    sum += parameter(found);
    found = NULL;
    osip_to_get_tag(message->to, &found);
    sum += parameter(found);
    sum += text(message->call_id->number) + text(message->call_id->host);
    sum += strtoul(message->cseq->number, NULL, 10) + text(message->cseq->method);

    osip_contact_t *contact = NULL;
    for (int i = 0; osip_message_get_contact(message, i, &contact) >= 0 && contact; i++, contact = NULL) {
        sum += url(contact->url);
        if (contact->url && contact->url->port) sum += (size_t)atoi(contact->url->port);
        char *names[] = {"expires", "q", "+sip.instance", "reg-id"};
        for (int n = 0; n < 4; n++) {
            found = NULL;
            osip_contact_param_get_byname(contact, names[n], &found);
            if (!found || !found->gvalue) continue;
            sum += n == 0 || n == 3 ? strtoul(found->gvalue, NULL, 10) : n == 1 ? (size_t)(strtod(found->gvalue, NULL) * 1000) : text(found->gvalue);
        }
    }

    osip_header_t *header = NULL;
    osip_message_get_expires(message, 0, &header);
    if (header && header->hvalue) sum += strtoul(header->hvalue, NULL, 10);
    header = NULL;
    osip_message_get_max_forwards(message, 0, &header);
    if (header && header->hvalue) sum += strtoul(header->hvalue, NULL, 10);
    header = NULL;
    osip_message_get_require(message, 0, &header);
    sum += tags(header);
    header = NULL;
    osip_message_get_supported(message, 0, &header);
    sum += tags(header);
    header = NULL;
    osip_message_get_user_agent(message, 0, &header);
    if (header) sum += text(header->hvalue);

    osip_authorization_t *digest = NULL;
    osip_message_get_authorization(message, 0, &digest);
    if (digest) {
        sum += text(osip_authorization_get_username(digest)) + text(osip_authorization_get_realm(digest));
        sum += text(osip_authorization_get_nonce(digest)) + text(osip_authorization_get_uri(digest));
        sum += text(osip_authorization_get_response(digest)) + text(osip_authorization_get_algorithm(digest));
        sum += text(osip_authorization_get_cnonce(digest)) + text(osip_authorization_get_opaque(digest));
        sum += text(osip_authorization_get_message_qop(digest));
        char *count = osip_authorization_get_nonce_count(digest);
        if (count) sum += strtoul(count, NULL, 16);
    }
    if (message->content_type) sum += 1;
    osip_body_t *body = NULL;
    osip_message_get_body(message, 0, &body);
    if (body) sum += body->length;
    osip_message_free(message);
    return sum;
}

int main(int argc, char **argv) {
    parser_init();
    return measure(argc, argv);
}
