"""Who watches over a server: Prometheus scrapes its metrics, sngrep and Kamailio's sipcapture read its HEP."""

import json
import os
import re
import signal
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request

from harness import ROOT, check, expect, expect_equal, template, until
from programs import Server, free_tcp_port, phone, sipp

EXAMPLES = os.path.join(ROOT, "Examples")


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def register(shop, server):
    process = sipp(shop, "sipp/register.xml", server.place, local="127.0.0.1", port=free_tcp_port())
    expect_equal(process.wait(), 0, "exit status of SIPp")


@check("metrics-prometheus", ["prometheus", "promtool", "sipp"], timeout=60)
def metrics_prometheus(shop):
    """promtool finds no fault with the metrics and the alert rules; Prometheus scrapes, and understands every query of the dashboard."""
    port, place = free_tcp_port(), f"127.0.0.1:{free_tcp_port()}"
    server = Server(shop, settings=["digest.algorithms=MD5", f"metrics=127.0.0.1:{port}"])
    register(shop, server)
    page = get(f"http://127.0.0.1:{port}/metrics")
    expect("\npinhole_bindings 1\n" in page, "a binding in the metrics", page[:2000])
    with open(shop.path("page"), "w") as file:
        file.write(page)
    status, text = shop.run("promtool-metrics", ["sh", "-c", f"promtool check metrics < {shop.path('page')}"])
    expect((status, text.strip()) == (0, ""), "no word of promtool check metrics", text)
    rules = os.path.join(EXAMPLES, "pinhole-alerts.yml")
    status, text = shop.run("promtool-rules", ["promtool", "check", "rules", rules])
    expect_equal(status, 0, f"exit status of promtool check rules ({text.strip()})")
    with open(shop.path("prometheus.yml"), "w") as file:
        file.write(f"""
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ['{rules}']
scrape_configs:
  - job_name: pinhole
    static_configs: [{{targets: ['127.0.0.1:{port}']}}]
""")
    shop.start("prometheus", [
        "prometheus", f"--config.file={shop.path('prometheus.yml')}", f"--storage.tsdb.path={shop.path('tsdb')}",
        f"--web.listen-address={place}", "--log.level=warn"])

    def query(expression):
        try:
            answer = get(f"http://{place}/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        except urllib.error.HTTPError as error:
            expect(error.code == 503, f"Prometheus to understand {expression}", error.read().decode())
            return []
        except OSError:
            return []
        return json.loads(answer)["data"]["result"]

    found = until("Prometheus to have scraped the binding", lambda: query("pinhole_bindings"), 30)
    expect_equal(found[0]["value"][1], "1", "bindings as Prometheus has them")
    expect_equal(query("up{job='pinhole'}")[0]["value"][1], "1", "up")
    with open(os.path.join(EXAMPLES, "grafana-pinhole.json")) as file:
        dashboard = json.load(file)
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    for expression in queries:
        query(expression.replace("$instance", ".*").replace("$__rate_interval", "1m"))
    expect(len(queries) > 20, "many queries in the dashboard", queries)


class Collector:
    """Keeps every HEP packet, and hands each on to others as it is."""

    def __init__(self, others):
        self.packets, self.others = [], others
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            packet = self.socket.recv(65536)
            self.packets.append(self.chunks(packet))
            for port in self.others:
                self.socket.sendto(packet, ("127.0.0.1", port))

    @staticmethod
    def chunks(packet):
        at, found = 6, {}
        while at < len(packet):
            kind, length = int.from_bytes(packet[at + 2:at + 4], "big"), int.from_bytes(packet[at + 4:at + 6], "big")
            found[kind] = packet[at + 6:at + length]
            at += length
        return found

    def of(self, kind):
        return [chunks for chunks in self.packets if chunks[11][0] == kind]


@check("hep-sngrep-kamailio", ["sngrep", "kamailio", "tshark"], timeout=90)
def hep(shop):
    """A call: SIP both ways, RTCP and the verdicts, as sngrep -L and Kamailio's sipcapture read them; no digest is among them."""
    os.makedirs(shop.path("tables"))
    sngrep_port, kamailio_port = free_tcp_port(), free_tcp_port()
    config = template("sipcapture.cfg", shop.path("sipcapture.cfg"), LISTEN=f"127.0.0.1:{kamailio_port}", TABLES=shop.path("tables"))
    kamailio = shop.start("sipcapture", [
        "kamailio", "-f", config, "-DD", "-E", "-m", 16, "-M", 4, "-Y", shop.folder, "-P", shop.path("sipcapture.pid")])
    kamailio.wait_for("interop: ready", what="Kamailio to start")
    capture = shop.path("sngrep.pcap")
    sngrep = shop.start("sngrep", ["sngrep", "-L", f"udp:127.0.0.1:{sngrep_port}", "-N", "-O", capture])
    sngrep.wait_for("Dialog count", what="sngrep to listen")
    collector = Collector([sngrep_port, kamailio_port])
    server = Server(shop, settings=[
        "digest.algorithms=MD5", f"hep.collector=127.0.0.1:{collector.port}", "hep.capture-id=77", "hep.password=sesame"])
    caller = phone(shop, f"100@{server.place}", "--call", "600", "--tone", "440", "--no-sound", "--hang-up-after", "7s")
    expect_equal(caller.wait(40), 0, "exit status of the phone")
    until("reports and verdicts", lambda: collector.of(5) and collector.of(34) and collector.of(100), 15)
    until("the phone to have signed off", lambda: any(b"expires=0" in p[15] or b"Expires: 0" in p[15] for p in collector.of(1)), 15)
    report = json.loads(collector.of(5)[0][15])
    expect(report["type"] in (200, 201) and report["report_count"] == len(report["report_blocks"]), "a report as Homer reads it", report)
    verdict = json.loads(collector.of(34)[0][15])
    expect(verdict["TOTAL_PK"] > 100 and verdict["TYPE"] == "HANGUP" and "RTP came" in verdict["VERDICT"], "a verdict", verdict)
    call = next(p[17] for p in collector.of(1) if p[15].startswith(b"INVITE "))
    expect_equal(verdict["CORRELATION_ID"].encode(), call, "Call-ID of the verdict")
    digests = [m for p in collector.of(1) for m in re.findall(rb'response="([^"]*)"', p[15])]
    expect(digests and all(set(digest) == {ord("x")} for digest in digests), "digests hidden", digests)
    for words in ("begins=REGISTER ", "begins=SIP/2.0 401 ", "begins=INVITE ", "begins=SIP/2.0 200 ", "begins=BYE "):
        kamailio.wait_for(rf"interop: hep 3 type=1 from=127.0.0.1:\d+ to=127.0.0.1:\d+ agent=77 password=sesame cid=\S+ {words}")
    kamailio.wait_for(r"interop: hep 3 type=5 .* begins=\{")
    kamailio.wait_for(r"interop: hep 3 type=100 .* begins=audio of 100@")
    expect(f"from=127.0.0.1:{server.port} to=127.0.0.1:" in kamailio.text(), "what the server said, from the server", kamailio.text()[-2000:])
    until("sngrep to have counted the call", lambda: re.search(r"Dialog count: [2-9]", sngrep.text()), 15)
    sngrep.signal(signal.SIGINT)
    sngrep.wait()
    status, text = shop.run("tshark", [
        "tshark", "-r", capture, "-d", f"udp.port=={server.port},sip", "-Y", "sip", "-T", "fields", "-e", "sip.Request-Line", "-e", "sip.Status-Line", "-e", "udp.srcport"])
    expect(status == 0 and re.search(rf"SIP/2.0 401 Unauthorized\s+{server.port}$", text, re.M) and "INVITE sip:600@" in text,
           "SIP both ways in what sngrep wrote", text)
