SHOP, ANA = "573001112233", "573109998877"

async def test_text_goes_both_ways_with_its_ticks(api, shop):
    id = await api.write(ANA, SHOP, "hola")
    told = await shop.wait_for("message", id=id)
    assert (told["text"], told["chat"], told["name"]) == ("hola", f"{ANA}@s.whatsapp.net", "Ana")
    (tick,) = await api.wait_for(ANA, "receipts", 1)
    assert (tick["id"], tick["type"]) == (id, "delivered")
    answer = await shop.do("send", ANA, "buenas")
    (got,) = await api.wait_for(ANA, "inbox", 1)
    assert (got["id"], got["text"], got["from"]) == (answer, "buenas", SHOP)
    await shop.wait_for("receipt", ids=[answer])
