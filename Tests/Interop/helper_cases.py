"""What is sent through a SIP helper, kind by kind: each case is a talk of its own between one phone and one server."""

from helper_talk import NEIGHBOUR, StreamTalk
from world import OUTSIDE, PHONE, SERVER, SERVER2

CASES, STREAM_CASES = [], []
CALLEE = f"sip:200@{SERVER}"
SERVERS_VIA = [f"Via: SIP/2.0/UDP {SERVER}:5060;branch=z9hG4bK-s"]
STUN = bytes.fromhex("000100002112a442") + b"twelve bytes"


def case(body):
    """Registers a function of one Talk; its name is the kind of message."""
    CASES.append((body.__name__.replace("_", "-"), body))
    return body


def stream_case(body):
    """The same of one StreamTalk."""
    STREAM_CASES.append(("tcp-" + body.__name__.replace("_", "-"), body))
    return body


# Registrations


def registered(talk, *headers, expires=600, **options):
    """REGISTER, 401, REGISTER with an answer, 200 that grants it."""
    asked = talk.out(talk.request("REGISTER", "Expires: 600", *headers, **options))
    talk.back(talk.answer(asked, "401 Unauthorized", 'WWW-Authenticate: Digest realm="r", nonce="n"'))
    asked = talk.out(talk.request(
        "REGISTER", "Expires: 600", f'Authorization: Digest username="100", uri="sip:{SERVER}", response="{talk.me}"', *headers, **options))
    return talk.back(talk.answer(asked, "200 OK", f"Contact: {granted(asked, expires)}"))


def granted(request, expires=600):
    """The Contact of a REGISTER as a registrar hands it back."""
    lines = [line.split(":", 1)[1].strip() for line in request.split("\r\n") if line.lower().startswith(("contact:", "m:"))]
    return (lines or ["<sip:nobody>"])[0] + f";expires={expires}"


@case
def register(talk):
    registered(talk)
    talk.back(
        talk.request("OPTIONS", uri=f"sip:100@{OUTSIDE}:{talk.port}", via=[f"Via: SIP/2.0/UDP {SERVER}:5070;branch=z9hG4bKs"], contact=""), port=5070)
    talk.probe(talk.port, host=SERVER2)


@case
def register_again(talk):
    registered(talk)
    asked = talk.out(talk.request("REGISTER", "Expires: 600"))
    talk.back(talk.answer(asked, "200 OK", f"Contact: {granted(asked)}"))
    talk.probe(talk.port, source=5070)


@case
def register_nobody_was_asked_back(talk):
    """Without the registrar's 200 nobody else comes in."""
    talk.out(talk.request("REGISTER", "Expires: 600"))
    talk.probe(talk.port, source=5070)


@case
def unregister_expires_0(talk):
    registered(talk)
    asked = talk.out(talk.request("REGISTER", "Expires: 0"))
    talk.back(talk.answer(asked, "200 OK"))
    talk.probe(talk.port, source=5070)


@case
def unregister_by_parameter(talk):
    registered(talk)
    asked = talk.out(talk.request("REGISTER", "Expires: 600", contact=f"<sip:100@{talk.me}>;expires=0"))
    talk.back(talk.answer(asked, "200 OK", f"Contact: <sip:100@{OUTSIDE}:{talk.port}>;expires=0"))
    talk.probe(talk.port, source=5070)


@case
def unregister_all(talk):
    registered(talk)
    asked = talk.out(talk.request("REGISTER", "Expires: 0", contact="*"))
    talk.back(talk.answer(asked, "200 OK"))
    talk.probe(talk.port, source=5070)


@case
def register_refused(talk):
    registered(talk)
    asked = talk.out(talk.request("REGISTER", "Expires: 600"))
    talk.back(talk.answer(asked, "403 Forbidden"))
    talk.probe(talk.port, source=5070)


@case
def register_too_brief(talk):
    asked = talk.out(talk.request("REGISTER", "Expires: 5"))
    talk.back(talk.answer(asked, "423 Interval Too Brief", "Min-Expires: 60"))


@case
def register_elsewhere(talk):
    asked = talk.out(talk.request("REGISTER", "Expires: 600"))
    talk.back(talk.answer(asked, "302 Moved", f"Contact: <sip:100@{SERVER2}:5060>"))


@case
def register_two_contacts(talk):
    registered(talk, f"Contact: <sip:100@{talk.host}:{talk.port + 1}>")
    asked = talk.out(talk.request(
        "REGISTER", contact=f"<sip:a@{talk.me}>;q=1, <sip:b@{talk.host}:{talk.port + 1}>, \"c\" <sip:c@{talk.me};transport=udp>;expires=60"))
    talk.back(talk.answer(asked, "200 OK", f"Contact: <sip:x@192.0.2.1:5060>;expires=60, {granted(asked)}", f"Contact: <sip:y@192.0.2.1>"))


@case
def register_contact_elsewhere(talk):
    """The phone listens at another port than it sends from."""
    talk.inside(talk.port + 1)
    registered(talk, contact=f"<sip:100@{talk.host}:{talk.port + 1}>")
    talk.probe(talk.port + 1, source=5070)


@case
def register_contact_without_port(talk):
    registered(talk, contact=f"<sip:100@{talk.host}>")


@case
def register_odd_ports(talk):
    for port in ("0", "80", "1023", "1024", "65535", "65536", "70000", "99999", "123456", "04321", "000004321", "4322x", "", "-1", f"{talk.port}0"):
        asked = talk.out(talk.request("REGISTER", "Expires: 600", contact=f"<sip:100@{talk.host}:{port}>"))
        talk.back(talk.answer(asked, "200 OK", f"Contact: {granted(asked)}"))


@case
def register_query(talk):
    asked = talk.out(talk.request("REGISTER", contact=""))
    talk.back(talk.answer(asked, "200 OK", f"Contact: <sip:100@{OUTSIDE}:{talk.port}>;expires=60"))


@case
def register_third_party(talk):
    registered(talk, contact="<sip:100@192.168.1.77:5060>")


@case
def register_host_name(talk):
    registered(talk, contact=f"<sip:100@phone.example:{talk.port}>")


@case
def register_other_transports(talk):
    for contact in [
        f"<sip:100@{talk.me};transport=tcp>", f"<sip:100@{talk.me};transport=TLS>", f"<sips:100@{talk.me}>", "<tel:+1555>", f"sip:100@{talk.me}",
        f"sip:{talk.me}"]:
        asked = talk.out(talk.request("REGISTER", "Expires: 600", contact=contact))
        talk.back(talk.answer(asked, "200 OK", f"Contact: {granted(asked)}"))


@case
def register_public_contact(talk):
    """A phone that asked STUN."""
    registered(talk, contact=f"<sip:100@{OUTSIDE}:{talk.port}>", via=[f"Via: SIP/2.0/UDP {OUTSIDE}:{talk.port};rport;branch=z9hG4bK-p"])


@case
def register_instance(talk):
    registered(
        talk,
        contact=f'"{talk.me}" <sip:100@{talk.me};line=abc>;q=1.0;reg-id=1;+sip.instance="<urn:uuid:00000000-0000-0000-0000-000000000000>";audio')


# Header fields


@case
def compact_forms(talk):
    lines = [
        f"REGISTER sip:{SERVER} SIP/2.0", f"v: SIP/2.0/UDP {talk.me};rport;branch=z9hG4bK-c", f"f: <sip:100@{talk.me}>;tag=f",
        f"t: <sip:100@{talk.me}>",
        f"i: call-{talk.number}@{talk.host}", "CSeq: 1 REGISTER", f"m: <sip:100@{talk.me}>", "Expires: 600", "l: 0"]
    asked = talk.out("\r\n".join(lines) + "\r\n\r\n")
    talk.back(talk.answer(asked, "200 OK", f"m: {granted(asked)}"))


@case
def compact_invite(talk):
    body = talk.sdp()
    talk.out("\r\n".join([
        f"INVITE sip:200@{SERVER} SIP/2.0", f"v:SIP/2.0/UDP {talk.me};rport;branch=z9hG4bK-c", f"f:<sip:100@{talk.me}>;tag=f",
        f"t:<sip:200@{SERVER}>",
        f"i:call-{talk.number}", "CSeq:1 INVITE", f"m:sip:100@{talk.me}", "c:application/sdp", f"l:{len(body)}", "", body]))


@case
def folded(talk):
    talk.out(talk.request(
        "OPTIONS", "Subject: one\r\n two", via=[f"Via: SIP/2.0/UDP\r\n {talk.me}\r\n ;rport;branch=z9hG4bK-f"],
        contact=f"\r\n\t<sip:100@{talk.me}>\r\n ;a=b,\r\n <sip:{talk.me}>"))


@case
def spaces(talk):
    talk.out(talk.request(
        "OPTIONS", "Subject:none", via=[f"Via  :  SIP / 2.0 / UDP  {talk.me} ; rport ; branch=z9hG4bK-f"], contact=f"   <sip:100@{talk.me}>"))
    talk.out(talk.request("OPTIONS", via=[f"VIA:\tSIP/2.0/UDP {talk.me};branch=z9hG4bK-g"], contact=f"<SIP:100@{talk.me}>"))
    talk.out(talk.request(
        "OPTIONS", via=[f"Via:SIP/2.0/udp {talk.me};branch=z9hG4bK-g"], contact=f"100 <sip:{talk.me};transport=UDP;maddr={talk.host}>"))


@case
def line_feeds_alone(talk):
    asked = talk.out(talk.request("REGISTER", "Expires: 60").replace("\r\n", "\n"))
    talk.out(talk.request("INVITE", body=talk.sdp()).replace("\r\n", "\n"))
    talk.out(talk.request("OPTIONS").replace("\r\n", "\r"))


@case
def several_vias(talk):
    vias = [
        f"Via: SIP/2.0/UDP {talk.me};rport;branch=z9hG4bK-1", f"Via: SIP/2.0/UDP {talk.me};branch=z9hG4bK-2, SIP/2.0/TCP {talk.me};branch=z9hG4bK-3"]
    asked = talk.out(talk.request("OPTIONS", via=vias))
    talk.back(talk.answer(asked, "200 OK"))
    asked = talk.out(talk.request("OPTIONS", via=[f"Via: SIP/2.0/UDP {talk.me};branch=z9hG4bK-1, SIP/2.0/UDP {talk.me};branch=z9hG4bK-2"]))
    talk.back(talk.answer(asked, "200 OK"))
    talk.out(talk.request("OPTIONS", via=[f"Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK-1", vias[0]]))


@case
def via_of_another_transport(talk):
    for via in (f"SIP/2.0/TCP {talk.me}", f"SIP/2.0/TLS {talk.me}", f"SIP/2.0/WS {talk.me}", f"SIP/2.0/UDP phone.example:{talk.port}"):
        asked = talk.out(talk.request("OPTIONS", via=[f"Via: {via};rport;branch=z9hG4bK-1"]))
        talk.back(talk.answer(asked, "200 OK"))


@case
def via_without_port(talk):
    asked = talk.out(talk.request("OPTIONS", via=[f"Via: SIP/2.0/UDP {talk.host};rport;branch=z9hG4bK-1"]))
    talk.back(talk.answer(asked, "200 OK"))


@case
def via_maddr(talk):
    asked = talk.out(talk.request("OPTIONS", via=[f"Via: SIP/2.0/UDP {talk.me};maddr={talk.host};rport;branch=z9hG4bK-1"]))
    talk.back(talk.answer(asked, "200 OK"))
    talk.out(talk.request("OPTIONS", via=[f"Via: SIP/2.0/UDP {talk.me};maddr=224.0.1.75;ttl=1;branch=z9hG4bK-1"]))


@case
def via_received_and_rport(talk):
    """What an ACK copied from a response carries, and what a careless server writes."""
    talk.out(talk.request("OPTIONS", via=[f"Via: SIP/2.0/UDP {talk.me};rport={talk.port};received={talk.host};branch=z9hG4bK-1"]))
    asked = talk.out(talk.request("OPTIONS"))
    talk.back(talk.answer(asked, "200 OK", received=False))
    talk.back(talk.answer(asked.replace(";rport;", f";rport=1024;received=192.0.2.5;"), "200 OK", received=False))
    talk.back(talk.answer(asked.replace(";rport;", f";received=\"{OUTSIDE}\";rport=\"{talk.port}\";"), "200 OK", received=False))


@case
def via_port_of_a_deaf_phone(talk):
    """It sends from one port and listens at the one in Via."""
    ear = talk.port + 1
    talk.inside(ear)
    asked = talk.out(talk.request(
        "OPTIONS", via=[f"Via: SIP/2.0/UDP {talk.host}:{ear};rport;branch=z9hG4bK-1"], contact=f"<sip:100@{talk.host}:{ear}>"))
    talk.back(talk.answer(asked, "200 OK"))
    asked = talk.out(talk.request(
        "REGISTER", "Expires: 60", via=[f"Via: SIP/2.0/UDP {talk.host}:{ear};branch=z9hG4bK-2"], contact=f"<sip:100@{talk.host}:{ear}>"))
    talk.back(talk.answer(asked, "200 OK", f"Contact: {granted(asked)}"))
    talk.probe(talk.port, source=5060)


@case
def routes(talk):
    asked = talk.out(talk.request(
        "OPTIONS", f"Route: <sip:{SERVER};lr>, <sip:{talk.me};lr>", f"Record-Route: <sip:{talk.me};lr>", f"Path: <sip:{talk.me}>",
        f"Service-Route: <sip:{talk.me}>"))
    talk.back(talk.answer(asked, "200 OK", f"Record-Route: <sip:{OUTSIDE}:{talk.port};lr>", f"Path: <sip:{OUTSIDE}:{talk.port}>"))


@case
def other_header_fields(talk):
    """Fields that carry the phone's address and are none of the helper's business."""
    talk.out(talk.request(
        "OPTIONS", f"Referred-By: <sip:100@{talk.me}>", f"P-Asserted-Identity: <sip:100@{talk.me}>", f"Alert-Info: <http://{talk.me}/>",
        f"User-Agent: {talk.me}",
        f"Warning: 399 {talk.me} \"x\"", f"Reply-To: <sip:{talk.me}>", f"Contactless: <sip:{talk.me}>", f"X-Contact: <sip:{talk.me}>"))


@case
def from_and_to(talk):
    asked = talk.out(talk.request("OPTIONS", source=f"sip:100@{talk.me}", target=f"sip:200@{SERVER}:5060"))
    talk.back(talk.answer(asked, "200 OK"))
    asked = talk.out(talk.request("OPTIONS", source=f"sip:100@{talk.host}", target=f"sip:{talk.me};user=phone"))
    talk.back(talk.answer(asked, "200 OK"))
    asked = talk.back(talk.request(
        "OPTIONS", uri=f"sip:100@{OUTSIDE}:{talk.port}", source=f"sip:200@{SERVER}:5060", target=f"sip:100@{OUTSIDE}:{talk.port}",
        contact=f"<sip:{SERVER}:5060>", via=SERVERS_VIA))
    talk.out(talk.answer(asked, "200 OK", f"Contact: <sip:100@{talk.me}>", received=False))


@case
def request_uris(talk):
    for uri in [
        f"sip:{talk.me}", f"sip:100@{talk.me};a=b", f"sip:200@{SERVER}:5060;user=phone", f"sips:200@{SERVER}", "tel:+1555", f"sip:a@b@{talk.me}",
        f"SIP:{talk.me}", "sip:200@host.example",
        f"sip:200@[2001:db8::1]:5060", f"sip:{SERVER}:99999", f"sip:{SERVER}:80",
    ]:
        talk.out(talk.request("OPTIONS", uri=uri))


@case
def inbound_request_uris(talk):
    talk.out(talk.request("OPTIONS"))
    for uri in [f"sip:100@{OUTSIDE}:{talk.port}", f"sip:100@{OUTSIDE}", f"sip:{OUTSIDE}:{talk.port};ob", f"sip:100@{talk.me}"]:
        talk.back(talk.request("OPTIONS", uri=uri, via=SERVERS_VIA, contact=f"<sip:{SERVER}>"))


@case
def odd_contacts(talk):
    for contact in [
        f'"sip:100@{talk.me}" <sip:100@{talk.me}>', f"<sip:100@{talk.me}?Subject=a@b>", f"<sip:{talk.me}>,<sip:{talk.me}>",
        f"<sip:100%40x@{talk.me}>",
        f"<sip:100@{talk.host}:{talk.port}/path>", f"<sip:100@{talk.me}.example>", f"<sip:100@{talk.host}.5:5060>", f"<sip:100@0{talk.me}>",
        f"<sip:100@{talk.host}:0{talk.port}>",
        f"<sip:100@{talk.host}:>", f"<sip:100@{talk.host}:70000>", "<>", "sip:", f"<sip:100@[::ffff:{talk.host}]:5060>",
        f"<sip:a@phone.example>, <sip:b@{talk.me}>",
    ]:
        talk.out(talk.request("OPTIONS", contact=contact))


# Calls


def called(talk, offer=None, answer=None, code="200 OK", **options):
    """INVITE, 100, 180, 200, ACK; the server's media at a port of the case."""
    asked = talk.out(talk.request("INVITE", uri=CALLEE, target=f"sip:200@{SERVER}", body=talk.sdp() if offer is None else offer, **options))
    talk.back(talk.answer(asked, "100 Trying"))
    talk.back(talk.answer(asked, "180 Ringing", f"Contact: <sip:200@{SERVER}:5060>"))
    if answer is None:
        answer = talk.their_sdp()
    talk.back(talk.answer(asked, code, f"Contact: <sip:200@{SERVER}:5060>", body=answer))
    talk.out(talk.request("ACK", uri=f"sip:200@{SERVER}:5060", target=f"sip:200@{SERVER}"))
    return asked


def hung_up(talk):
    asked = talk.out(talk.request("BYE", uri=f"sip:200@{SERVER}:5060"))
    talk.back(talk.answer(asked, "200 OK"))


@case
def call(talk):
    called(talk)
    talk.probe(talk.media, source=talk.far)
    talk.probe(talk.media + 1, source=talk.far + 1)
    talk.send_media(talk.media)
    hung_up(talk)


@case
def call_media_leave_first(talk):
    called(talk)
    talk.send_media(talk.media)
    talk.send_media(talk.media + 1, target=talk.far + 1)
    talk.probe(talk.media, source=talk.far)
    hung_up(talk)


@case
def call_media_from_elsewhere(talk):
    called(talk)
    talk.probe(talk.media, host=SERVER2)
    talk.probe(talk.media, source=talk.far + 10)
    talk.probe(talk.media, source=talk.far + 12)


@case
def call_without_media_after_bye(talk):
    called(talk)
    hung_up(talk)
    talk.probe(talk.media)


@case
def call_refused(talk):
    for code in ("401 Unauthorized", "407 Proxy Authentication Required", "486 Busy Here", "603 Decline"):
        asked = talk.out(talk.request("INVITE", uri=CALLEE, body=talk.sdp()))
        talk.back(talk.answer(asked, code))
        talk.probe(talk.media)
        talk.out(talk.request("ACK", uri=CALLEE, contact=""))


@case
def call_redirected(talk):
    asked = talk.out(talk.request("INVITE", uri=CALLEE, body=talk.sdp()))
    talk.back(talk.answer(asked, "302 Moved Temporarily", f"Contact: <sip:300@{SERVER}:5060>", f"Contact: <sip:100@{OUTSIDE}:{talk.port}>"))


@case
def call_cancelled(talk):
    asked = talk.out(talk.request("INVITE", uri=CALLEE, body=talk.sdp()))
    talk.back(talk.answer(asked, "180 Ringing"))
    cancel = talk.out(talk.request("CANCEL", uri=CALLEE, contact=""))
    talk.back(talk.answer(cancel, "200 OK"))
    talk.probe(talk.media)
    talk.back(talk.answer(asked, "487 Request Terminated"))
    talk.out(talk.request("ACK", uri=CALLEE, contact=""))
    talk.probe(talk.media + 1)


@case
def call_with_early_media(talk):
    called(talk, code="183 Session Progress")
    talk.probe(talk.media)


@case
def call_sent_again(talk):
    message = talk.request("INVITE", uri=CALLEE, body=talk.sdp())
    for _ in range(3):
        asked = talk.out(message)
    for _ in range(2):
        talk.back(talk.answer(asked, "200 OK", body=talk.their_sdp()))
    talk.probe(talk.media)


@case
def call_offered_late(talk):
    asked = talk.out(talk.request("INVITE", uri=CALLEE))
    talk.back(talk.answer(asked, "200 OK", f"Contact: <sip:200@{SERVER}:5060>", body=talk.their_sdp()))
    talk.out(talk.request("ACK", uri=f"sip:200@{SERVER}:5060", body=talk.sdp()))
    talk.probe(talk.media)


@case
def call_prack_and_update(talk):
    asked = talk.out(talk.request("INVITE", "Supported: 100rel", uri=CALLEE, body=talk.sdp()))
    talk.back(talk.answer(asked, "183 Session Progress", "Require: 100rel", "RSeq: 1", body=talk.their_sdp()))
    talk.probe(talk.media)
    asked = talk.out(talk.request("PRACK", "RAck: 1 1 INVITE", uri=CALLEE, body=talk.sdp(f"audio {talk.media + 2} RTP/AVP 0")))
    talk.back(talk.answer(asked, "200 OK", body=talk.their_sdp()))
    talk.probe(talk.media + 2)
    asked = talk.out(talk.request("UPDATE", uri=CALLEE, body=talk.sdp(f"audio {talk.media + 4} RTP/AVP 0")))
    talk.back(talk.answer(asked, "200 OK", body=talk.their_sdp()))
    talk.probe(talk.media + 4)


@case
def call_into_the_house(talk):
    registered(talk)
    asked = talk.back(talk.request(
        "INVITE", uri=f"sip:100@{OUTSIDE}:{talk.port}", source=f"sip:200@{SERVER}:5060", target=f"sip:100@{OUTSIDE}:{talk.port}",
        contact=f"<sip:200@{SERVER}:5060>",
        via=SERVERS_VIA, body=talk.their_sdp(), call=f"in-{talk.number}"))
    talk.out(talk.answer(asked, "180 Ringing", f"Contact: <sip:100@{talk.me}>", received=False))
    talk.out(talk.answer(asked, "200 OK", f"Contact: <sip:100@{talk.me}>", received=False, body=talk.sdp()))
    talk.back(talk.request("ACK", uri=f"sip:100@{OUTSIDE}:{talk.port}", contact="", via=SERVERS_VIA, cseq="1 ACK"))
    talk.probe(talk.media)
    asked = talk.back(talk.request(
        "BYE", uri=f"sip:100@{OUTSIDE}:{talk.port}", contact="", via=[f"Via: SIP/2.0/UDP {SERVER}:5060;branch=z9hG4bK-t"], cseq="2 BYE"))
    talk.out(talk.answer(asked, "200 OK", received=False))


@case
def call_through_the_opening(talk):
    """The registrar calls from another port than the one registered with: the flow begins outside."""
    registered(talk)
    talk.server, main = talk.at(talk.world.server, SERVER, 5070), talk.server
    via = [f"Via: SIP/2.0/UDP {SERVER}:5070;branch=z9hG4bK-s"]
    asked = talk.back(talk.request(
        "INVITE", uri=f"sip:100@{OUTSIDE}:{talk.port}", source=f"sip:200@{SERVER}:5070", target=f"sip:100@{OUTSIDE}:{talk.port}",
        contact=f"<sip:200@{SERVER}:5070>", via=via,
        body=talk.their_sdp(), call=f"in-{talk.number}"), port=5070)
    talk.out(talk.answer(asked, "200 OK", f"Contact: <sip:100@{talk.me}>", received=False, body=talk.sdp()), to=(SERVER, 5070))
    talk.probe(talk.media)
    talk.out(talk.request("BYE", uri=f"sip:200@{SERVER}:5070", cseq="2 BYE"), to=(SERVER, 5070))
    talk.out(talk.request("REGISTER", "Expires: 60"), to=(SERVER, 5070))
    talk.server = main


# Session descriptions


def offered(talk, *bodies, method="INVITE", probes=(), **options):
    for body in bodies:
        talk.out(talk.request(method, uri=CALLEE, body=body, **options))
        for port in probes:
            talk.probe(port)


@case
def hold(talk):
    called(talk)
    for body in (talk.sdp([f"audio {talk.media} RTP/AVP 0", "a=sendonly"]), talk.sdp([f"audio {talk.media} RTP/AVP 0", "a=inactive"])):
        asked = talk.out(talk.request("INVITE", uri=CALLEE, body=body))
        talk.back(talk.answer(asked, "200 OK", body=talk.sdp([f"audio {talk.far} RTP/AVP 0", "a=recvonly"], host=SERVER)))
        talk.probe(talk.media)


@case
def hold_by_address_0(talk):
    called(talk)
    offered(
        talk, talk.sdp(host="0.0.0.0"), talk.sdp(host="0.0.0.0", origin=talk.host), talk.sdp([f"audio {talk.media} RTP/AVP 0", "c=IN IP4 0.0.0.0"]),
        probes=[talk.media])
    asked = talk.back(talk.request(
        "INVITE", uri=f"sip:100@{OUTSIDE}:{talk.port}", via=SERVERS_VIA, contact=f"<sip:{SERVER}>", body=talk.sdp(host="0.0.0.0", origin=SERVER)))
    talk.out(talk.answer(asked, "200 OK", received=False, body=talk.sdp()))


@case
def two_media(talk):
    offered(
        talk, talk.sdp(f"audio {talk.media} RTP/AVP 0", f"video {talk.media + 4} RTP/AVP 96"), probes=[talk.media, talk.media + 4, talk.media + 5])


@case
def two_media_of_their_own_addresses(talk):
    offered(
        talk,
        talk.sdp([f"audio {talk.media} RTP/AVP 0", f"c=IN IP4 {talk.host}"], [f"video {talk.media + 4} RTP/AVP 96", f"c=IN IP4 {talk.host}"], common=False),



        talk.sdp([f"audio {talk.media} RTP/AVP 0", f"c=IN IP4 {talk.host}"], [f"video {talk.media + 4} RTP/AVP 96", "c=IN IP4 192.0.2.8"]),
        talk.sdp([f"audio {talk.media} RTP/AVP 0", "c=IN IP4 192.0.2.8"], [f"video {talk.media + 4} RTP/AVP 96", f"c=IN IP4 {talk.host}"]),
        talk.sdp(f"audio {talk.media} RTP/AVP 0", [f"video {talk.media + 4} RTP/AVP 96", f"c=IN IP4 {talk.host}"]),
        probes=[talk.media, talk.media + 4])


@case
def many_media(talk):
    offered(
        talk, talk.sdp(*(f"{kind} {talk.media + 2 * place} RTP/AVP 0" for place, kind in enumerate(["audio", "video", "audio", "video", "audio"]))),
        talk.sdp(*([f"audio {talk.media + 2 * place} RTP/AVP 0", f"c=IN IP4 {talk.host}"] for place in range(5))),
        probes=[talk.media + 2 * place for place in range(5)])


@case
def media_refused(talk):
    offered(
        talk, talk.sdp("audio 0 RTP/AVP 0"), talk.sdp("audio 0 RTP/AVP 0", f"video {talk.media} RTP/AVP 96"),
        talk.sdp(f"audio {talk.media} RTP/AVP 0", "video 0 RTP/AVP 96"), probes=[talk.media])


@case
def media_at_low_ports(talk):
    offered(
        talk, talk.sdp("audio 1023 RTP/AVP 0"), talk.sdp("audio 1 RTP/AVP 0"), talk.sdp(f"audio {talk.media} RTP/AVP 0", "video 500 RTP/AVP 96"),
        talk.sdp("audio 65535 RTP/AVP 0"), talk.sdp("audio 70000 RTP/AVP 0"))


@case
def media_at_an_odd_port(talk):
    offered(talk, talk.sdp(f"audio {talk.media + 1} RTP/AVP 0"), probes=[talk.media, talk.media + 1, talk.media + 2])


@case
def media_without_a_connection(talk):
    offered(
        talk, talk.sdp(common=False),
        talk.sdp(f"audio {talk.media} RTP/AVP 0", [f"video {talk.media + 4} RTP/AVP 96", f"c=IN IP4 {talk.host}"], common=False),
        talk.sdp("audio 0 RTP/AVP 0", common=False))


@case
def media_elsewhere(talk):
    """A host name, another host, another family."""
    offered(
        talk, talk.sdp(host="phone.example"), talk.sdp(host="192.168.1.77"), talk.sdp(host="192.168.1.77", origin=talk.host),
        talk.sdp(host=talk.host, origin="phone.example"), probes=[talk.media])
    offered(talk, talk.sdp().replace("c=IN IP4 192.168.1.100", "c=IN IP6 2001:db8::1"), talk.sdp().replace("IP4 192.168.1.100", "IP6 2001:db8::1"))


@case
def media_already_public(talk):
    offered(talk, talk.sdp(host=OUTSIDE), probes=[talk.media])


@case
def media_kinds(talk):
    offered(
        talk, talk.sdp(f"image {talk.media} udptl t38"), talk.sdp(f"application {talk.media} UDP/BFCP *"),
        talk.sdp(f"message {talk.media} TCP/MSRP *"), talk.sdp(f"text {talk.media} RTP/AVP 98"),
        talk.sdp(f"AUDIO {talk.media} RTP/AVP 0"), talk.sdp(f"audio  {talk.media} RTP/AVP 0"), talk.sdp(f"audio {talk.media}/2 RTP/AVP 0"),
        talk.sdp("audio RTP/AVP 0"),
        talk.sdp(f"audio {talk.media} RTP/SAVP 0"), talk.sdp(f"audio {talk.media} TCP/RTP/AVP 0"), probes=[talk.media, talk.media + 1])


@case
def candidates(talk):
    offered(talk, talk.sdp([
        f"audio {talk.media} RTP/AVP 0", f"a=rtcp:{talk.media + 1} IN IP4 {talk.host}",
        f"a=candidate:1 1 UDP 2130706431 {talk.host} {talk.media} typ host", "a=rtcp-mux",
        f"a=alt:1 1 : x y {talk.host} {talk.media}"]))


@case
def session_lines(talk):
    ordinary = talk.sdp()
    offered(
        talk, ordinary.replace("\r\n", "\n"), ordinary.replace("c=IN IP4", "c=in ip4"), ordinary.replace("c=IN IP4 ", "c=IN  IP4  "),
        ordinary.replace("c=", "C="), ordinary.replace("v=0", "v=1"),
        ordinary.replace("v=0\r\n", ""), ordinary.replace(f"c=IN IP4 {talk.host}", f"c=IN IP4 {talk.host}/127"),
        ordinary.replace(f"c=IN IP4 {talk.host}", f"c=IN IP4 {talk.host} x"),
        ordinary.replace("s=-", f"s=call from c=IN IP4 {talk.host}"), ordinary + ordinary, ordinary.rstrip(), ordinary + "\r\n\r\n",
        "".join(line + "\r\n" for line in ordinary.split("\r\n")[:-1] if not line.startswith("o=")),
        ordinary.replace("m=", f"b=AS:64\r\nk=clear:{talk.host}\r\nm="))


@case
def bodies_of_many_parts(talk):
    body = f"--b\r\nContent-Type: application/sdp\r\n\r\n{talk.sdp()}\r\n--b\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello\r\n--b--\r\n"
    offered(talk, body, kind="multipart/mixed;boundary=b")
    body = f"--b\r\nContent-Type: text/plain\r\n\r\nfirst\r\n--b\r\nContent-Type: application/sdp\r\n\r\n{talk.sdp()}\r\n--b--\r\n"
    offered(talk, body, kind="multipart/mixed;boundary=b")


@case
def descriptions_elsewhere(talk):
    """The same lines in messages that are none of the call's."""
    for method in ("MESSAGE", "OPTIONS", "INFO", "REFER", "NOTIFY", "BYE", "CANCEL"):
        offered(talk, talk.sdp(), method=method)
    asked = talk.out(talk.request("OPTIONS"))
    talk.back(talk.answer(asked, "200 OK", body=talk.their_sdp()))
    asked = talk.out(talk.request("INVITE"))
    talk.back(talk.answer(asked, "488 Not Acceptable Here", body=talk.their_sdp()))


@case
def answers_of_the_server(talk):
    for body in [
        talk.sdp(f"audio {talk.far} RTP/AVP 0", host=SERVER2), talk.sdp("audio 80 RTP/AVP 0", host=SERVER),
        talk.sdp(f"audio {talk.far} RTP/AVP 0", host=SERVER, common=False), talk.sdp("audio 0 RTP/AVP 0", host=SERVER),
        talk.sdp(f"audio {talk.far} RTP/AVP 0", host=OUTSIDE), talk.sdp(f"audio {talk.far + 1} RTP/AVP 0", host=SERVER, origin=SERVER2),
        talk.sdp(f"audio {talk.far} RTP/AVP 0", f"video {talk.far + 2} RTP/AVP 96", host=SERVER),
    ]:
        asked = talk.out(talk.request("INVITE", uri=CALLEE, body=talk.sdp()))
        talk.back(talk.answer(asked, "200 OK", body=body))


# Other methods


@case
def subscribe_and_notify(talk):
    asked = talk.out(talk.request("SUBSCRIBE", "Event: dialog", "Expires: 600", uri=CALLEE))
    talk.back(talk.answer(asked, "202 Accepted", f"Contact: <sip:200@{SERVER}:5060>", "Expires: 600"))
    asked = talk.back(talk.request(
        "NOTIFY", "Event: dialog", "Subscription-State: active", uri=f"sip:100@{OUTSIDE}:{talk.port}", via=SERVERS_VIA,
        contact=f"<sip:200@{SERVER}:5060>", body="<dialog-info/>", kind="application/dialog-info+xml"))
    talk.out(talk.answer(asked, "200 OK", received=False))


@case
def message(talk):
    asked = talk.out(talk.request("MESSAGE", uri=CALLEE, body=f"I am at {talk.me}\r\nc=IN IP4 {talk.host}\r\n", kind="text/plain"))
    talk.back(talk.answer(asked, "200 OK"))


@case
def refer(talk):
    asked = talk.out(talk.request(
        "REFER", f"Refer-To: <sip:300@{talk.me}?Replaces=a%40{talk.host}>", f"Referred-By: <sip:100@{talk.me}>", uri=CALLEE))
    talk.back(talk.answer(asked, "202 Accepted"))


@case
def info_publish_options(talk):
    for method, body, kind in (
        ("INFO", "Signal=1\r\nDuration=160\r\n", "application/dtmf-relay"),
        ("PUBLISH", f"<presence entity=\"sip:100@{talk.me}\"/>", "application/pidf+xml"), ("OPTIONS", "", None)):
        asked = talk.out(talk.request(method, uri=CALLEE, body=body, kind=kind))
        talk.back(talk.answer(asked, "200 OK"))


@case
def unknown_methods(talk):
    for method in ("FOO", "BYEBYE", "INVITED", "ACKNOWLEDGE", "register", "invite", "X-REGISTER", "A"):
        asked = talk.out(talk.request(method, "Expires: 60", uri=CALLEE, body=talk.sdp()))
        talk.back(talk.answer(asked, "200 OK", body=talk.their_sdp()))


# What is broken


@case
def no_content_length(talk):
    talk.out(talk.request("REGISTER", "Expires: 60", length=""))
    talk.out(talk.request("INVITE", body=talk.sdp(), length=""))
    talk.probe(talk.media)


@case
def wrong_content_length(talk):
    for length in (0, 1, 40, 9999, -1, "x", "", " 12 "):
        talk.out(talk.request("INVITE", body=talk.sdp(), length=length))


@case
def no_call_id(talk):
    talk.out(talk.request("REGISTER", "Expires: 60").replace("Call-ID", "X-Call-ID"))
    talk.out(talk.request("INVITE", body=talk.sdp()).replace("Call-ID", "X-Call-ID"))


@case
def broken_cseq(talk):
    for method in ("REGISTER", "INVITE", "OPTIONS", "BYE", "CANCEL", "ACK"):
        for cseq in (
            f"4294967296 {method}", f"9999999999 {method}", f"00000000001 {method}", f"0000000001 {method}", f"00 {method}", f"-1 {method}",
            f"0 {method}", f"x {method}", "", f"99999999999 {method}", f"4294967295 {method}", f"7{method}", "7", f"1 OTHER"):
            talk.out(talk.request(method, cseq=cseq))
        talk.out(talk.request(method, cseq="7 OPTIONS").replace("CSeq", "X-CSeq"))


@case
def broken_answers(talk):
    asked = talk.out(talk.request("REGISTER", "Expires: 60"))
    for code in ("00200 OK", "4294967496 OK", "200", "0 OK", "abc OK", "20 OK", "2000 OK", "", "099 x", "1 x", "699 x"):
        talk.back(talk.answer(asked, code))
    asked = talk.out(talk.request("INVITE", body=talk.sdp()))
    for cseq in (
        "CSeq: 99999999999 INVITE", "CSeq: 0 INVITE", "CSeq: x", "CSeq:", "X-CSeq: 1 INVITE", "CSeq: 9 INVITE", "CSeq: 1 invite", "CSeq: 1 INVITEX"):
        answer = talk.answer(asked, "200 OK", body=talk.their_sdp())
        talk.back("\r\n".join(cseq if line.startswith("CSeq") else line for line in answer.split("\r\n")))


@case
def not_messages(talk):
    talk.out(talk.request("OPTIONS"))
    for payload in (
        b"\r\n\r\n", b"", b"\0\0\0\0", STUN, b"\0" * 40, b"\xff" * 300, b"INVITE", b"INVITE sip", b"INVITE sip:", b"REGISTER sip:a SIP/2.0\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b" " * 50, b"\r\n" * 30):
        talk.out(payload)
        talk.back(payload)


@case
def cut_short(talk):
    whole = talk.request("INVITE", "Expires: 60", uri=CALLEE, body=talk.sdp())
    for length in range(12, len(whole), 37):
        talk.out(whole[:length])


@case
def long_message(talk):
    asked = talk.out(talk.request("INVITE", *(f"X-Long-{number}: {'x' * 200}" for number in range(15)), uri=CALLEE, body=talk.sdp()))
    talk.back(talk.answer(asked, "200 OK", *(f"X-Long-{number}: {'x' * 200}" for number in range(15)), body=talk.their_sdp()))


@case
def octets_beyond_ascii(talk):
    talk.out(talk.request("OPTIONS", "Subject: \u00e4\u00f6\u00fc\0\x7f", contact=f'"\u00e9" <sip:100@{talk.me}>'))


# Two phones with one port


@case
def neighbours_with_one_port(talk):
    """The second one's flow gets another port; its messages say so."""
    other = talk.neighbour()
    registered(talk)
    registered(other)
    asked = other.out(other.request("INVITE", uri=CALLEE, body=other.sdp(f"audio {other.media + 6} RTP/AVP 0")))
    other.back(other.answer(asked, "200 OK", body=other.sdp(f"audio {talk.far} RTP/AVP 0", host=SERVER)))
    other.probe(other.media + 6)


@case
def neighbours_with_one_media_port(talk):
    other = talk.neighbour()
    for each, first in ((talk, talk.media), (other, other.media)):
        asked = each.out(each.request("INVITE", uri=CALLEE, body=each.sdp(f"audio {first} RTP/AVP 0", f"video {first + 2} RTP/AVP 96")))
        each.back(each.answer(asked, "200 OK", body=each.sdp(f"audio {talk.far} RTP/AVP 0", f"video {talk.far + 2} RTP/AVP 96", host=SERVER)))
        for port in range(first, first + 8):
            each.inside(port)
    for port in range(talk.media, talk.media + 8):
        talk.probe(port)


@case
def neighbours_with_one_contact_port(talk):
    other = talk.neighbour()
    for each in (talk, other, talk):
        each.inside(each.port + 1)
        registered(each, contact=f"<sip:100@{each.host}:{each.port + 1}>")
    talk.probe(talk.port + 1)


@case
def neighbours_with_one_media_port_after_use(talk):
    """Once the first phone's media have come, the second may announce the port as well: their senders tell them apart."""
    other = talk.neighbour()
    for each in (talk, other):
        asked = each.out(each.request("INVITE", uri=CALLEE, body=each.sdp()))
        each.back(each.answer(asked, "200 OK", body=each.sdp(f"audio {talk.far} RTP/AVP 0", host=SERVER)))
        for port, source in ((talk.media, talk.far), (talk.media + 1, talk.far + 1)):
            each.inside(port)
            talk.probe(port, source=source + (0 if each is talk else 100))
    talk.probe(talk.media, source=talk.far)
    for each in (talk, other):
        each.send_media(each.media)


@case
def two_media_with_one_port(talk):
    offered(
        talk, talk.sdp(f"audio {talk.media} RTP/AVP 0", f"video {talk.media} RTP/AVP 96"),
        talk.sdp(f"audio {talk.media} RTP/AVP 0", f"audio {talk.media} RTP/AVP 96"))
    talk.out(talk.request("INVITE", body=talk.sdp(f"audio {talk.media} RTP/AVP 0", f"video {talk.media + 1} RTP/AVP 96")))


# Over TCP


@stream_case
def registers(talk):
    registered(talk, contact=f"<sip:100@{talk.me};transport=tcp>")


@stream_case
def calls(talk):
    called(talk, contact=f"<sip:100@{talk.me};transport=tcp>")
    hung_up(talk)


@stream_case
def calls_and_is_called_over_one_connection(talk):
    """What is said later goes on where the longer and shorter messages before ended."""
    for _ in range(4):
        asked = talk.out(talk.request("INVITE", uri=CALLEE, body=talk.sdp()))
        talk.back(talk.answer(asked, "200 OK", f"Contact: <sip:200@{SERVER}:5060>", body=talk.their_sdp()))
        asked = talk.back(talk.request(
            "INVITE", uri=f"sip:100@{OUTSIDE}:{talk.port}", via=[f"Via: SIP/2.0/TCP {SERVER}:5060;branch=z9hG4bK-s"], contact=f"<sip:{SERVER}:5060>",
            body=talk.their_sdp()))
        talk.out(talk.answer(asked, "200 OK", f"Contact: <sip:100@{talk.me};transport=tcp>", received=False, body=talk.sdp()))


@stream_case
def is_answered_with_one_media_port_again(talk):
    other = StreamTalk(talk.world, talk.marker, talk.number, NEIGHBOUR)
    other.record = talk.record
    for each in (talk, other):
        asked = each.out(each.request("INVITE", uri=CALLEE, body=each.sdp(f"audio {each.media} RTP/AVP 0")))
        each.back(each.answer(asked, "200 OK", body=each.sdp(f"audio {talk.far} RTP/AVP 0", host=SERVER)))
    other.close()


@stream_case
def several_in_one_segment(talk):
    talk.out(talk.request("OPTIONS"), talk.request("OPTIONS"), talk.request("INVITE", uri=CALLEE, body=talk.sdp()), talk.request("OPTIONS"))
    answers = [talk.answer(talk.request("OPTIONS").replace(talk.me, f"{OUTSIDE}:{talk.port}"), "200 OK") for _ in range(3)]
    talk.back(*answers)


@stream_case
def one_in_several_segments(talk):
    whole = talk.request("INVITE", uri=CALLEE, body=talk.sdp())
    for cut in (40, 200, len(whole) - 60, len(whole) - 1):
        talk.out(whole[:cut])
        talk.out(whole[cut:], talk.request("OPTIONS"))
    talk.out(talk.request("OPTIONS"), whole[:100])
    talk.out(whole[100:])


@stream_case
def keepalives_between(talk):
    talk.out("\r\n\r\n")
    talk.back("\r\n")
    talk.out("\r\n\r\n" + talk.request("OPTIONS"))
    talk.out(talk.request("OPTIONS") + "\r\n\r\n", talk.request("OPTIONS"))
    talk.out(talk.request("OPTIONS"))


@stream_case
def no_length(talk):
    talk.out(talk.request("OPTIONS", length=""))
    talk.out(talk.request("INVITE", body=talk.sdp(), length=""))
    talk.out(talk.request("OPTIONS"))


@stream_case
def wrong_length(talk):
    for length in (0, 20, 9999, "x"):
        talk.out(talk.request("INVITE", body=talk.sdp(), length=length))
        talk.out(talk.request("OPTIONS"))


@stream_case
def dropped(talk):
    """What the helper drops is sent again for ever: the stream stands still."""
    talk.out(talk.request("INVITE", body=talk.sdp("audio 80 RTP/AVP 0")))
    talk.out(talk.request("OPTIONS"))


@stream_case
def other_words(talk):
    talk.out("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
    talk.out(b"\x16\x03\x01" + bytes(200))
    talk.out(talk.request("OPTIONS"))


@stream_case
def via_of_udp(talk):
    talk.out(talk.request("OPTIONS", via=[f"Via: SIP/2.0/UDP {talk.me};rport;branch=z9hG4bK-u"]))
