async def test_x(client):
    from .test_tenants import CAMPAIGN
    await client.post("/v1/campaigns", json=CAMPAIGN|{"name":"x"})
    for q in ("-5","0","99999999999","1","abc"):
        a=await client.post(f"/v1/campaigns/x/vouchers?vouchers_count={q}")
        print(q,a.status_code,a.text[:200])
    from guerdon import app; import msgspec
    print(msgspec.json.decode(app.openapi())['paths']['/v1/campaigns/{campaign_id}/vouchers']['post']['parameters'])
