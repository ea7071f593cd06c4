"""A deployment: what its file may say, what is said of a file that cannot be used, and where its paths start."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from governance import segments
from governance.contracts import LAYERS
from governance.segments import RulesError
from resources import deployment as deployments
from resources.connectors import ConnectorError, Request
from resources.deployment import OWNER, Deployment, DeploymentError, Settings
from resources.files import Files
from tests.tables import CONTRACTS

SHOP = """\
name: Shop
currency: EUR
engine: {memory_limit: 1GB, threads: 2}
lake: {}
connectors:
  shop: {type: files, path: orders.csv}
  company: {type: sample, customers: 10}
feeds:
  orders:
    from: shop
    select: select * from raw
"""

# What is written instead of what, and the key the error must name.
FAULTS = {
    "no name": ("name: Shop\n", "", "name"),
    "no currency": ("currency: EUR\n", "", "currency"),
    "a key unknown at the first level": ("currency:", "curency: EUR\ncurrency:", "curency"),
    "a key unknown in engine": ("threads:", "thread:", "engine.thread"),
    "a key unknown in lake": ("lake: {}", "lake: {catalogue: x}", "lake.catalogue"),
    "a key unknown in files": ("path: orders.csv", "path: orders.csv, seperator: x", "connectors.shop.seperator"),
    "a key unknown in sample": ("customers: 10", "custommers: 10", "connectors.company.custommers"),
    "a key unknown in a feed": ("select:", "selct:", "feeds.orders.selct"),
    "files without path": (", path: orders.csv", "", "connectors.shop.path"),
    "an unknown connector type": ("type: files", "type: ftp", "connectors.shop.type"),
    "a connector without type": ("type: files, ", "", "connectors.shop"),
    "an unknown encoding": ("orders.csv", "orders.csv, encoding: utf-9", "connectors.shop.encoding"),
    "a date format nobody knows": ("orders.csv", "orders.csv, date_format: '%Q'", "connectors.shop.date_format"),
    "a sample of nobody": ("customers: 10", "customers: 0", "connectors.company.customers"),
    "a feed from nowhere": ("    from: shop\n", "", "feeds.orders.from"),
    "a feed that says nothing": ("\n    from: shop\n    select: select * from raw", "", "feeds.orders"),
    "a feed from an unknown connector": ("from: shop", "from: store", "feeds.orders.from"),
    "another word for `from`": ("from: shop", "connector: shop", "feeds.orders.from"),
    "a feed from a known and an unknown connector": ("from: shop", "from: [shop, store]", "feeds.orders.from"),
    "a feed from no connector": ("from: shop", "from: []", "feeds.orders.from"),
    "a connector named twice": ("from: shop", "from: [shop, company, shop]", "feeds.orders.from"),
    "several connectors and no select": (
        "from: shop\n    select: select * from raw",
        "from: [shop, company]",
        "feeds.orders.select",
    ),
    "several connectors and a watermark": (
        "from: shop",
        "watermark: changed\n    from: [shop, company]",
        "feeds.orders.watermark",
    ),
    "several connectors and a table of none": (
        "from: shop",
        "table: sales\n    from: [shop, company]",
        "feeds.orders.table",
    ),
    "a table of another connector": ("from: shop", "table: {company: x}\n    from: shop", "feeds.orders.table"),
    "an unknown dataset": ("  orders:\n", "  ordres:\n", "feeds.ordres"),
    "a dataset named as a derived table": ("  orders:\n", "  customers:\n", "feeds.customers"),
    "a status that is none": ("from: shop", "from: shop\n    status: {sent: gone}", "feeds.orders.status"),
    "a status of products": (
        "  orders:\n    from: shop",
        "  product:\n    from: shop\n    status: {sent: shipped}",
        "feeds.product.status",
    ),
    "feeds left blank": (SHOP[SHOP.index("feeds:") :], "feeds:\n", "feeds"),
    "threads in words": ("threads: 2", "threads: all", "engine.threads"),
}

UNKNOWN = ["c360.yaml, key feeds.orders.connector: is no key we know."]
Open = Callable[..., Deployment]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """`opened(text)`: the deployment whose file, in `tmp_path`, has that text."""
    held: list[Deployment] = []

    def load(text: str = SHOP) -> Deployment:
        held.append(deployments.load(written(tmp_path, text)))
        return held[-1]

    yield load
    for deployment in held:
        deployment.close()


def written(folder: Path, text: str) -> Path:
    file = folder / "c360.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_deployment_says_in_python_what_its_file_says(opened: Open, tmp_path: Path) -> None:
    deployment = opened()
    assert (deployment.settings.name, deployment.settings.currency) == ("Shop", "EUR")
    assert (deployment.engine.memory_limit, deployment.engine.threads) == ("1GB", 2)
    assert deployment.settings.connectors["shop"] == Files(type="files", path="orders.csv")
    assert {name: (feed.connectors, feed.select) for name, feed in deployment.feeds.items()} == {
        "orders": (("shop",), "select * from raw")
    }
    assert {contract.layer for contract in deployment.contracts.values()} <= set(LAYERS)
    assert deployment.contracts["rfm"].column("gross_monetary").description.endswith("before refunds (EUR).")


def test_a_feed_without_select_takes_every_column(opened: Open) -> None:
    deployment = opened(SHOP.replace("    select: select * from raw\n", ""))
    assert deployment.feeds["orders"].select == "select * from raw"


def test_name_and_currency_are_all_a_deployment_needs(opened: Open) -> None:
    deployment = opened("name: Shop\ncurrency: EUR\n")
    assert (deployment.settings.connectors, deployment.feeds) == ({}, {})


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_file_is_one_error_that_names_file_and_key(fault: str, opened: Open) -> None:
    old, new, key = FAULTS[fault]
    assert old in SHOP
    with pytest.raises(DeploymentError) as raised:
        opened(SHOP.replace(old, new, 1))
    first, *others = str(raised.value).splitlines()
    assert re.fullmatch(rf"c360\.yaml, key {re.escape(key)}: .+", first)
    assert others == (UNKNOWN if fault == "another word for `from`" else [])


def test_every_fault_of_a_file_is_told_at_once(opened: Open) -> None:
    text = SHOP.replace("currency", "curency").replace("from: shop", "from: store\n    selct: x") + "  ordres: {}\n"
    with pytest.raises(DeploymentError) as raised:
        opened(text)
    keys = [line.split(": ")[0] for line in str(raised.value).splitlines()]
    assert keys == [f"c360.yaml, key {key}" for key in ("currency", "curency", "feeds.orders.selct", "feeds.ordres")]


@pytest.mark.parametrize("text", ["", "# to be written\n", "- name\n", "name\n"])
def test_an_empty_file_is_refused_with_a_place_to_start_from(
    text: str, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        DeploymentError, match=r"c360\.yaml is empty or not a mapping\. Start from one in examples/, or"
    ):
        opened(text)
    monkeypatch.setenv("C360_DATA", "data")
    example = deployments.DEFAULT_CONFIG.parent / "examples/simple_shop/c360.yaml"
    assert opened(example.read_text(encoding="utf-8")).feeds


def test_broken_yaml_is_named_with_its_line(opened: Open) -> None:
    with pytest.raises(DeploymentError, match=r"c360\.yaml is not readable YAML: [^\n]*line 3"):
        opened("name: Shop\ncurrency: [EUR\nhome: x\n")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c360.yaml").write_bytes("name: Möbel\n".encode("latin-1"))
    with pytest.raises(DeploymentError, match=r"c360\.yaml is not readable YAML: .*utf-8"):
        deployments.load(tmp_path / "c360.yaml")


def test_a_missing_file_is_named_with_the_two_ways_to_name_another(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match=rf"{tmp_path / 'c360.yaml'}.*--config.*C360_CONFIG"):
        deployments.load(tmp_path / "c360.yaml")


def test_an_error_of_an_unknown_name_lists_the_known_ones(opened: Open) -> None:
    with pytest.raises(DeploymentError, match="declared: shop, company"):
        opened(SHOP.replace("from: shop", "from: store"))
    with pytest.raises(DeploymentError, match=r"known are brand, customer, .*, web_analytics"):
        opened(SHOP.replace("  orders:", "  ordres:"))


# What is written instead of what, what is said of it, and what is advised instead.
REMEDIES = {
    "a clock": ("lake: {}", "timezone: Berlin", "such as UTC or Europe/Berlin", "timezone: Europe/Berlin"),
    "an hour": (
        "lake: {}",
        "schedules: {hours_from: 2026-01-01T00:30:00+01:00}",
        "must be a full hour in UTC, without offset",
        "schedules: {hours_from: 2025-12-31T23:00:00}",
    ),
    "a status": (
        "from: shop",
        "from: shop\n    status: {sent: gone}",
        "'sent: gone' must be one of adjustment, .* shipped",
        "from: shop\n    status: {sent: shipped}",
    ),
    "a connector": ("from: shop", "from: store", r"no connector 'store' \(declared: shop, company\)", "from: company"),
    "a dataset": ("  orders:", "  ordres:", "known are .*orders", "  orders:"),
    "a feed in short": (
        "orders:\n    from: shop\n    select: select * from raw",
        "orders: shop",
        "must say `from` and, if need be, `select`",
        "orders: {from: shop}",
    ),
    "a table": (
        "from: shop",
        "table: sales\n    from: [shop, company]",
        r"say of which connector, as in `table: \{shop: sales\}`",
        "table: {shop: sales}\n    from: [shop, company]",
    ),
    "a watermark": (
        "from: shop",
        "watermark: changed\n    from: [shop, company]",
        "Take it out, or read from one connector",
        "from: [shop, company]",
    ),
    "a watermark of one": (
        "from: shop",
        "watermark: changed\n    from: [shop, company]",
        "Take it out, or read from one connector",
        "watermark: changed\n    from: shop",
    ),
    "several connectors": (
        "from: shop\n    select: select * from raw",
        "from: [shop, company]",
        "each is a view: shop, company",
        "from: [shop, company]\n    select: select * from shop union all by name select * from company",
    ),
    "two sinks": (
        "lake: {}",
        "notifications: [{type: log}, {type: log}]",
        "Give each a `name` of its own",
        "notifications: [{type: log}, {type: log, name: again}]",
    ),
    "an address": (
        "type: sample, customers: 10",
        "type: postgres, url: shop.db",
        r"such as postgresql://\$\{SHOP_USER\}:\$\{SHOP_PASSWORD\}@host:5432/shop",
        'type: postgres, url: "postgresql://${SHOP_USER}:${SHOP_PASSWORD}@host:5432/shop"',
    ),
    "a password in the clear": (
        "lake: {}",
        "notifications: [{type: smtp, host: mail, sender: a@b.org, recipients: [c@d.org], username: u, password: p,"
        " starttls: false}]",
        "leave starttls on",
        "notifications: [{type: smtp, host: mail, sender: a@b.org, recipients: [c@d.org], username: u, password: p}]",
    ),
    "a user without password": (
        "lake: {}",
        "notifications: [{type: smtp, host: mail, sender: a@b.org, recipients: [c@d.org], username: u}]",
        "username and password belong together",
        "notifications: [{type: smtp, host: mail, sender: a@b.org, recipients: [c@d.org], username: u, password: p}]",
    ),
    "a webhook in the clear": (
        "lake: {}",
        "notifications: [{type: webhook, url: 'http://example.org/x'}]",
        "must begin with https://",
        "notifications: [{type: webhook, url: 'https://example.org/x'}]",
    ),
}


@pytest.mark.parametrize("fault", REMEDIES)
def test_what_an_error_advises_can_be_written(fault: str, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    old, wrong, told, right = REMEDIES[fault]
    assert old in SHOP
    for name in ("SHOP_USER", "SHOP_PASSWORD"):
        monkeypatch.setenv(name, "x")
    with pytest.raises(DeploymentError, match=told):
        opened(SHOP.replace(old, wrong, 1))
    assert opened(SHOP.replace(old, right, 1)).settings.name == "Shop"


def test_what_is_advised_of_a_missing_variable_or_file_works(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = SHOP.replace("orders.csv", '"${SHOP_NOWHERE}/orders.csv"')
    with pytest.raises(DeploymentError, match="Set it, for example SHOP_NOWHERE=") as raised:
        opened(text)
    setting, command, *arguments = str(raised.value).split("for example ")[1].split()
    assert (command, arguments) == ("c360", ["run", "--config", str(tmp_path / "c360.yaml")])
    monkeypatch.setenv(setting.split("=")[0], "exports")
    request = Request("shop", "orders", tmp_path)
    (tmp_path / "orders.csv").touch()
    with pytest.raises(
        ConnectorError, match=r"Correct the path in c360\.yaml, or set the environment variable it uses"
    ):
        deployments.load(Path(arguments[-1])).settings.connectors["shop"].mark(request)
    monkeypatch.setenv(setting.split("=")[0], ".")
    assert deployments.load(Path(arguments[-1])).settings.connectors["shop"].mark(request)
    with pytest.raises(DeploymentError, match="Name one with --config, or set C360_CONFIG"):
        deployments.load(tmp_path / "nowhere.yaml")
    monkeypatch.setenv("C360_CONFIG", str(tmp_path / "c360.yaml"))
    assert deployments.load().settings.name == "Shop"


def test_variables_are_read_from_the_environment(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_FOLDER", "/exports")
    monkeypatch.setenv("SHOP_YEAR", "2024")
    deployment = opened(SHOP.replace("orders.csv", '"${SHOP_FOLDER}/${SHOP_YEAR}/orders.csv"'))
    assert deployment.settings.connectors["shop"] == Files(type="files", path="/exports/2024/orders.csv")


def test_the_value_of_a_variable_is_taken_as_it_is(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_FILE", "${HOME}: {a}, \\1 #b")
    deployment = opened(SHOP.replace("orders.csv", '"${SHOP_FILE}"'))
    assert deployment.settings.connectors["shop"] == Files(type="files", path="${HOME}: {a}, \\1 #b")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("EUR", '"${SHOP_NOWHERE}"', "currency"),
        ("orders.csv", '"${SHOP_NOWHERE}/orders.csv"', r"connectors\.shop\.path"),
        ("* from raw", "'${SHOP_NOWHERE}' from raw", r"feeds\.orders\.select"),
    ],
)
def test_a_missing_variable_is_named_with_its_key(old: str, new: str, key: str, opened: Open) -> None:
    with pytest.raises(DeploymentError, match=rf"c360\.yaml, key {key}: .*variable SHOP_NOWHERE is not set"):
        opened(SHOP.replace(old, new))


def test_without_a_file_the_variable_names_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(deployments.CONFIG_VARIABLE, str(written(tmp_path, SHOP)))
    assert deployments.load().settings.name == "Shop"


def test_else_that_of_the_current_folder_is_used_and_else_the_sample_company(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(deployments.CONFIG_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    assert deployments.load().settings.name == "Sample company"
    assert deployments.load().file == deployments.DEFAULT_CONFIG
    file = written(tmp_path, SHOP)
    assert deployments.load().file == file
    monkeypatch.setenv(deployments.CONFIG_VARIABLE, str(deployments.DEFAULT_CONFIG))
    assert deployments.load().settings.name == "Sample company"


def test_relative_paths_start_at_the_files_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop").mkdir()
    written(tmp_path / "shop", SHOP.replace("lake: {}", "home: kept\nlake: {warehouse: ../tables}"))
    monkeypatch.chdir(tmp_path)
    with closing(deployments.load(Path("shop/c360.yaml"))) as deployment:
        monkeypatch.chdir("/")
        assert deployment.folder == tmp_path / "shop"
        assert deployment.home == tmp_path / "shop" / "kept"
        assert deployment.lake.warehouse == tmp_path / "tables"


def test_a_deployment_may_have_segment_rules_of_its_own(opened: Open, tmp_path: Path) -> None:
    assert opened(SHOP).rules() == segments.load()
    own = opened(SHOP + "segments: rules.yaml\n")
    text = segments.FILE.read_text(encoding="utf-8")
    (tmp_path / "rules.yaml").write_text(re.sub(r'version: "\d+"', 'version: "ours"', text), encoding="utf-8")
    assert own.rules().version == "ours"
    (tmp_path / "rules.yaml").unlink()
    with pytest.raises(RulesError, match=r"rules\.yaml"):
        own.rules()


def test_an_absolute_home_stays_where_it_is(opened: Open, tmp_path: Path) -> None:
    home = tmp_path / "elsewhere"
    assert opened(SHOP.replace("lake: {}", f"home: {home}")).home == home


def shop(file: Path, name: str = "Shop", **settings: Any) -> Deployment:
    """A deployment of this file and name."""
    file.touch()
    return Deployment(file, Settings(name=name, currency="EUR", **settings), {}, CONTRACTS)


def used(deployment: Deployment) -> bool:
    """Whether the deployment may write to its home."""
    try:
        deployment.claim_home()
        return True
    except DeploymentError:
        return False


def test_a_home_is_of_one_deployment_unless_it_is_said_to_be_shared(tmp_path: Path) -> None:
    file, other = tmp_path / "c360.yaml", tmp_path / "other.yaml"
    assert used(shop(file))
    for opened in ("lake", "operations"):
        with pytest.raises(DeploymentError) as raised:
            getattr(shop(other, "Store"), opened)
    for word in (str(other), "'Store'", str(file), "'Shop'", "`home:` of its own", "`shares_home: true`"):
        assert word in str(raised.value)
    assert used(shop(other, "Store", shares_home=True))
    assert used(shop(file))
    assert used(shop(other, "Store", home=".store"))
    mark = re.search(r"If 'Shop' is no more, remove (\S+)\.$", str(raised.value))
    assert mark is not None
    Path(mark[1]).unlink()
    assert used(shop(other, "Store"))


@pytest.mark.parametrize("home", [".c360", "../kept"])
def test_a_deployment_that_is_moved_or_renamed_keeps_its_home(tmp_path: Path, home: str) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    assert used(shop(old / "c360.yaml", home=home))
    old.rename(new)
    assert used(shop(new / "c360.yaml", home=home))
    (new / "c360.yaml").rename(new / "shop.yaml")
    assert used(shop(new / "shop.yaml", home=home))
    assert used(shop(new / "shop.yaml", "Store", home=home))
    assert not used(shop(new / "c360.yaml", "Store", home=home))


def test_a_copy_of_a_folder_has_a_home_of_its_own_and_a_copy_of_the_file_none(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    assert used(shop(one / "c360.yaml"))
    shutil.copytree(one, two)
    assert used(shop(two / "c360.yaml"))
    assert used(shop(one / "c360.yaml"))
    assert not used(shop(two / "c360.yaml", home=str(one / ".c360")))


def test_a_home_of_before_homes_were_marked_becomes_that_of_whoever_writes_first(tmp_path: Path) -> None:
    file, other = tmp_path / "c360.yaml", tmp_path / "other.yaml"
    assert used(shop(file))
    (tmp_path / ".c360" / OWNER).unlink()
    with closing(shop(other, "Store")) as looking:
        assert looking.lake.state("orders") is None
    assert used(shop(file))
    assert not used(shop(other, "Store"))


def test_what_was_not_opened_leaves_nothing_on_disk(tmp_path: Path) -> None:
    shop(tmp_path / "c360.yaml").close()
    assert [file.name for file in tmp_path.iterdir()] == ["c360.yaml"]


@pytest.mark.parametrize("lake", ["lake: {}", "lake: {warehouse: tables}"])
def test_a_lake_can_be_used_at_once(lake: str, opened: Open, tmp_path: Path) -> None:
    deployment = opened(SHOP.replace("lake: {}", lake))
    assert deployment.lake.read(deployment.contracts["quarantine"]).count().to_pyarrow().as_py() == 0
    assert (tmp_path / ".c360" / "catalog.db").is_file()


@pytest.mark.parametrize("key", ["quarantine", "incidents"])
def test_a_table_is_selected_as_it_is_read_wherever_it_is_kept(key: str, opened: Open) -> None:
    deployment = opened()
    selected = deployment.engine.connection.sql(deployment.select(key)).to_arrow_table()
    assert selected == deployment.read(key).to_pyarrow()


def test_closing_removes_what_the_engine_left_on_disk(opened: Open) -> None:
    deployment = opened()
    scratch = deployment.engine.scratch
    assert scratch.is_dir()
    deployment.close()
    assert not scratch.exists()
