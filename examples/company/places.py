"""Where customers live: large cities with ZIP codes that belong to them, and the state each lies in."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from examples.company.records import Floats, Ints

# state code | state | population in millions | city, its ZIP range, area code; ...
_STATES = """
AL|Alabama|5.1|Birmingham 35203-35244 205;Huntsville 35801-35816 256;Mobile 36602-36619 251
AK|Alaska|0.7|Anchorage 99501-99518 907;Fairbanks 99701-99712 907
AZ|Arizona|7.4|Phoenix 85003-85054 602;Tucson 85701-85757 520;Mesa 85201-85215 480
AR|Arkansas|3.1|Little Rock 72201-72212 501;Fayetteville 72701-72704 479
CA|California|39.0|Los Angeles 90001-90068 213;San Diego 92101-92131 619;San Jose 95110-95139 408;\
San Francisco 94102-94134 415
CO|Colorado|5.9|Denver 80202-80239 303;Colorado Springs 80903-80928 719;Aurora 80010-80019 720
CT|Connecticut|3.6|Bridgeport 06604-06610 203;Hartford 06103-06120 860;New Haven 06510-06519 203
DE|Delaware|1.0|Wilmington 19801-19810 302;Dover 19901-19904 302
FL|Florida|22.6|Jacksonville 32202-32225 904;Miami 33125-33147 305;Tampa 33602-33619 813;\
Orlando 32801-32839 407
GA|Georgia|11.0|Atlanta 30303-30331 404;Augusta 30901-30909 706;Savannah 31401-31411 912
HI|Hawaii|1.4|Honolulu 96813-96826 808;Hilo 96720-96720 808
ID|Idaho|2.0|Boise 83702-83716 208;Idaho Falls 83401-83406 208
IL|Illinois|12.5|Chicago 60601-60661 312;Aurora 60502-60506 630;Rockford 61101-61114 815
IN|Indiana|6.9|Indianapolis 46201-46260 317;Fort Wayne 46802-46835 260
IA|Iowa|3.2|Des Moines 50309-50321 515;Cedar Rapids 52401-52411 319
KS|Kansas|2.9|Wichita 67202-67235 316;Overland Park 66204-66224 913;Topeka 66603-66619 785
KY|Kentucky|4.5|Louisville 40202-40245 502;Lexington 40502-40517 859
LA|Louisiana|4.6|New Orleans 70112-70131 504;Baton Rouge 70801-70820 225;Shreveport 71101-71119 318
ME|Maine|1.4|Portland 04101-04103 207;Bangor 04401-04401 207
MD|Maryland|6.2|Baltimore 21201-21239 410;Frederick 21701-21704 301
MA|Massachusetts|7.0|Boston 02108-02136 617;Worcester 01602-01610 508;Springfield 01103-01119 413
MI|Michigan|10.0|Detroit 48201-48243 313;Grand Rapids 49503-49548 616;Lansing 48906-48917 517
MN|Minnesota|5.7|Minneapolis 55401-55419 612;Saint Paul 55101-55119 651;Duluth 55802-55812 218
MS|Mississippi|2.9|Jackson 39201-39216 601;Gulfport 39501-39507 228
MO|Missouri|6.2|Kansas City 64105-64155 816;St. Louis 63101-63147 314;Springfield 65802-65810 417
MT|Montana|1.1|Billings 59101-59106 406;Missoula 59801-59808 406
NE|Nebraska|2.0|Omaha 68102-68164 402;Lincoln 68502-68532 402
NV|Nevada|3.2|Las Vegas 89101-89149 702;Reno 89501-89523 775
NH|New Hampshire|1.4|Manchester 03101-03109 603;Nashua 03060-03064 603
NJ|New Jersey|9.3|Newark 07102-07114 973;Jersey City 07302-07311 201;Trenton 08608-08629 609
NM|New Mexico|2.1|Albuquerque 87102-87123 505;Las Cruces 88001-88012 575
NY|New York|19.6|New York 10001-10040 212;Buffalo 14201-14228 716;Rochester 14604-14626 585;\
Albany 12202-12211 518
NC|North Carolina|10.8|Charlotte 28202-28278 704;Raleigh 27601-27617 919;Greensboro 27401-27410 336
ND|North Dakota|0.8|Fargo 58102-58104 701;Bismarck 58501-58504 701
OH|Ohio|11.8|Columbus 43201-43235 614;Cleveland 44102-44135 216;Cincinnati 45202-45249 513
OK|Oklahoma|4.1|Oklahoma City 73102-73179 405;Tulsa 74103-74137 918
OR|Oregon|4.2|Portland 97201-97239 503;Eugene 97401-97405 541;Salem 97301-97306 503
PA|Pennsylvania|13.0|Philadelphia 19102-19154 215;Pittsburgh 15201-15239 412;Allentown 18101-18109 610
RI|Rhode Island|1.1|Providence 02903-02912 401;Warwick 02886-02889 401
SC|South Carolina|5.4|Charleston 29401-29414 843;Columbia 29201-29229 803;Greenville 29601-29617 864
SD|South Dakota|0.9|Sioux Falls 57103-57110 605;Rapid City 57701-57703 605
TN|Tennessee|7.1|Nashville 37201-37221 615;Memphis 38103-38141 901;Knoxville 37902-37938 865
TX|Texas|30.5|Houston 77002-77099 713;San Antonio 78201-78261 210;Dallas 75201-75254 214;\
Austin 78701-78759 512
UT|Utah|3.4|Salt Lake City 84101-84124 801;Provo 84601-84606 801
VT|Vermont|0.6|Burlington 05401-05408 802;Rutland 05701-05702 802
VA|Virginia|8.7|Virginia Beach 23451-23464 757;Richmond 23219-23238 804;Norfolk 23502-23518 757
WA|Washington|7.8|Seattle 98101-98199 206;Spokane 99201-99224 509;Tacoma 98402-98424 253
WV|West Virginia|1.8|Charleston 25301-25315 304;Huntington 25701-25705 304
WI|Wisconsin|5.9|Milwaukee 53202-53228 414;Madison 53703-53719 608;Green Bay 54301-54313 920
WY|Wyoming|0.6|Cheyenne 82001-82009 307;Casper 82601-82609 307
"""

# country | state code | state | city | postal areas | telephone prefix reserved for fiction, two digits short
_ABROAD = """
United Kingdom|ENG|England|London|SE1 SW9 N16 E8 W12|+44-1632-960-0
United Kingdom|ENG|England|Manchester|M1 M4 M14 M20|+44-1632-960-1
United Kingdom|SCT|Scotland|Edinburgh|EH1 EH3 EH8 EH11|+44-1632-960-2
Canada|ON|Ontario|Toronto|M4C M5V M6K|+1-416-555-01
Canada|QC|Quebec|Montreal|H2X H3B H4C|+1-514-555-01
Canada|BC|British Columbia|Vancouver|V5K V6B V6Z|+1-604-555-01
Germany|BE|Berlin|Berlin|10115 10243 10437 12043|+49-30-23125-0
Germany|BY|Bavaria|Munich|80331 80469 80797 81667|+49-89-99998-0
Germany|HH|Hamburg|Hamburg|20095 20253 22303 22765|+49-40-66969-0
"""
SHARE_ABROAD = 0.01


@dataclass(frozen=True)
class City:
    """One city; `weight` is its share of the customers."""

    name: str
    state: str
    state_code: str
    country: str
    zips: tuple[str, ...]
    phone_prefix: str
    weight: float


def _american(line: str) -> list[City]:
    code, state, millions, listed = line.split("|")
    cities = listed.split(";")
    found = []
    for rank, text in enumerate(cities, start=1):
        name, zips, area = text.rsplit(" ", 2)
        first, last = zips.split("-")
        numbers = tuple(f"{number:05d}" for number in range(int(first), int(last) + 1))
        weight = float(millions) / rank / sum(1 / r for r in range(1, len(cities) + 1))
        found.append(City(name, state, code, "United States", numbers, f"+1-{area}-555-01", weight))
    return found


def _cities() -> tuple[City, ...]:
    home = [city for line in _STATES.strip().split("\n") for city in _american(line)]
    lines = [line.split("|") for line in _ABROAD.strip().split("\n")]
    each = sum(city.weight for city in home) * SHARE_ABROAD / (1 - SHARE_ABROAD) / len(lines)
    abroad = [
        City(name, state, code, country, tuple(zips.split()), prefix, each)
        for country, code, state, name, zips, prefix in lines
    ]
    return tuple(home + abroad)


CITIES = _cities()
CITY_WEIGHTS: Floats = np.array([city.weight for city in CITIES])
NAMES = pa.array([city.name for city in CITIES])
STATES = pa.array([city.state for city in CITIES])
STATE_CODES = pa.array([city.state_code for city in CITIES])
COUNTRIES = pa.array([city.country for city in CITIES])
PHONE_PREFIXES = pa.array([city.phone_prefix for city in CITIES])
ZIPS = pa.array([number for city in CITIES for number in city.zips])
ZIP_COUNT: Ints = np.array([len(city.zips) for city in CITIES])
FIRST_ZIP: Ints = np.cumsum(ZIP_COUNT) - ZIP_COUNT
