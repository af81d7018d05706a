"""What columns and tables are called in the trade, in several languages."""

from __future__ import annotations

import re
import unicodedata

_ID = "id|ids|key|no|nr|num|number|nummer|numero|code|kod|uuid|guid|hash|pk|fk|index|idx|sk|ref|番号|编号|コード"
HEADS: dict[str, str] = {
    "user_id": (
        "user|users|uid|who|userid|customer|cust|client|visitor|member|reviewer|buyer|shopper|person|profile|account|subscriber|"
        "viewer|listener|reader|player|patient|student|author|kunde|kunden|benutzer|nutzer|besucher|mitglied|"
        "utilisateur|acheteur|membre|usuario|cliente|utente|klant|gebruiker|bruker|kund|anvandare|"
        "klient|uzytkownik|polzovatel|пользователь|клиент|покупатель|用户|会员|会員|客户|顧客|ユーザー|会員|사용자|고객"
    ),
    "item_id": (
        "item|items|product|prod|sku|asin|movie|film|article|track|song|book|isbn|isbn13|game|app|video|show|recipe|hotel|"
        "listing|offer|ad|news|doc|document|content|business|venue|poi|place|location|course|job|goods|ean|gtin|upc|mpn|"
        "plu|iid|itemid|artikel|produkt|ware|titel|buch|produit|livre|producto|articulo|pelicula|prodotto|articolo|"
        "produto|artigo|varenummer|vare|vara|towar|tovar|товар|продукт|фильм|книга|商品|产品|物品|品番|アイテム|상품|stockcode"
    ),
    "timestamp": (
        "timestamp|time|ts|datetime|date|when|created|createdat|createdon|updated|occurred|unixreviewtime|reviewtime|"
        "eventtime|eventdate|eventtimestamp|timestampms|unixtime|epoch|day|clicktime|viewtime|orderdate|purchasedate|"
        "invoicedate|utctime|localtime|zeit|zeitpunkt|zeitstempel|datum|uhrzeit|bestelldatum|kaufdatum|horodatage|"
        "heure|fecha|hora|data|dataora|tijd|tidspunkt|tidpunkt|dato|czas|время|дата|时间|日期|日時|日付|時間|시간|날짜"
    ),
    "rating": (
        "rating|ratings|score|scores|stars|star|overall|grade|vote|points|bookrating|reviewrating|bewertung|note|sterne|"
        "calificacion|puntuacion|valutazione|voto|avaliacao|nota|beoordeling|betyg|ocena|оценка|рейтинг|评分|評価|평점"
    ),
    "event": (
        "event|eventtype|eventname|action|activity|behavior|behaviour|interaction|behaviortype|actiontype|verb|signal|"
        "ereignis|aktion|vorgang|evenement|evento|accion|azione|acao|handling|zdarzenie|событие|действие|行为|行為|イベント|이벤트"
    ),
    "tag": "tag|tags|label|keyword|schlagwort|etiquette|etiqueta|etichetta|тег|标签|タグ|태그",
    "title": (
        "title|name|productname|itemname|itemtitle|movietitle|booktitle|producttitle|titel|bezeichnung|artikelname|"
        "produktname|titre|nom|titulo|nombre|titolo|nome|nazwa|название|наименование|标题|名称|商品名|タイトル|제목"
    ),
    "available": "available|instock|isavailable|availability|active|onsale|verfugbar|lieferbar|disponible|disponibile",
    "available_from": (
        "availablefrom|availablesince|validfrom|activefrom|livefrom|onsalefrom|salestart|startdate|publishfrom|"
        "verfugbarab|gultigab|disponibledesde|disponibledal|disponibleapartirde"
    ),
    "available_until": (
        "availableuntil|availabletill|availableto|validuntil|validto|activeuntil|liveuntil|onsaleuntil|saleend|enddate|"
        "publishuntil|expires|expiresat|expiry|expirydate|verfugbarbis|gultigbis|disponiblehasta|disponiblejusqua"
    ),
    "rank": "rank|position|pos|slot|place|rang|platz|posicion|posizione|позиция|位置|順位",
    "export_id": "export|exportid|listid|recommendationid|recsid",
    "clicked": "clicked|click|isclicked|wasclicked|geklickt|clique",
    "vector": "vector|vectors|vec|embedding|embeddings|emb|features|vektor|vecteur|вектор|向量|ベクトル|벡터",
    "outcome": "outcome|reward|revenue|conversion|converted|erfolg",
    "opted_out": "optedout|optout|unsubscribed|donottrack|doNotRecommend|optedoutofrecommendations|widerspruch",
}
"""Our columns, and words for them; those that come first weigh no more than the others."""
WEAKER: dict[str, str] = {
    "user_id": "session|sessionid|sessions|sess|visit|visitorid|cookie|device|deviceid|basket|cart|household|sitzung",
    "item_id": "parentasin|category|brand|artist|url|page|query|variant|stock",
    "event": "type|kind|typ|tipo|тип",
    "rating": "value|wert|quantity|plays|playcount",
    "timestamp": "orderid|created_utc|year",
}
"""Words that a column may have where there is none of the better ones."""
_STRONG = {ours: {word.lower() for word in words.split("|")} for ours, words in HEADS.items()}
_WEAK = {ours: {word.lower() for word in words.split("|")} for ours, words in WEAKER.items()}
_IDS = set(_ID.split("|"))
_FIRST = {"parentasin": 1.05, "unixreviewtime": 1.05, "timestamp": 1.02, "overall": 1.0}
TABLES: dict[str, str] = {
    "interactions": "interaction|event|log|rating|review|click|view|order|purchase|transaction|buy|behavior|session|"
    "visit|feedback|play|listen|history|bestellung|kauf|klick",
    "items": "item|product|movie|catalog|catalogue|meta|article|book|game|track|song|katalog|artikel|produkt|"
    "business|sku",
    "users": "user|customer|member|visitor|client|account|kunde|nutzer|benutzer|people|profile",
    "exposures": "exposure|impression|shown|displayed|served|einblendung",
    "tags": "tag|keyword|label|schlagwort",
}


def words(name: str) -> list[str]:
    """The words of a name, in small letters without accents: `CustomerID`, `customer_id` and `Customer-Id` alike."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    plain = unicodedata.normalize("NFKD", apart.casefold())
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFC", plain))


def fitness(name: str, ours: str) -> float:
    """How well a name says that a column is one of ours: 1 if plainly, 0 if not at all."""
    found = words(name)
    joined = "".join(found)
    if joined == "".join(words(ours)):
        return 1.2 if name == ours else 1.1
    key = ours in ("user_id", "item_id")
    without = [word for word in found if word not in _IDS]
    stem = "".join(without)
    for known, weight in ((_STRONG[ours], 1.0), (_WEAK.get(ours, set()), 0.5)):
        if joined in known or (without and stem in known):
            bonus = _FIRST.get(joined, 1.0)
            has_id = len(without) < len(found) or joined.endswith("id")
            return weight * bonus * (1.0 if not key or has_id or joined in _SURE_ALONE else 0.9)
        if key and any(joined.endswith(end) and joined.removesuffix(end) in known for end in _IDS if len(end) > 1):
            return weight
        if key and len(without) < len(found) and known & set(without):
            return 0.8 * weight
        if not key and found and (found[0] in known or found[-1] in known):
            return 0.7 * weight
        if key and found and (found[-1] in known):
            return 0.55 * weight
    return 0.0


_SURE_ALONE = {"sku", "asin", "isbn", "isbn13", "ean", "gtin", "upc", "uid", "iid", "userid", "itemid", "stockcode"}


def table_of(stem: str) -> set[str]:
    """The tables that the name of a file speaks of."""
    joined = "".join(words(stem))
    return {table for table, known in TABLES.items() if any(word in joined for word in known.split("|"))}
